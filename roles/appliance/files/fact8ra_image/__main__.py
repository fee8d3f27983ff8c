# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Command line: `python3 -m fact8ra_image NAME... [--base=...] [--format=...] [--output=...] [--check]`.

Prints one JSON object; what went wrong goes to the standard error, without a traceback, with exit status 1.
The address of a package index, which may hold credentials, comes in FACT8RA_INDEX_URL.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from . import build
from .recipe import FLAVOURS, FORMATS, MIRROR, SECURITY_MIRROR, recipe
from .system import ImageError


def main(arguments: list[str] | None = None) -> int:
    """Build what the arguments name; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fact8ra_image", description="Builds images of the appliances.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(FLAVOURS))
    parser.add_argument("--base", default="", help="a root file system or an image; nothing: Debian from packages")
    parser.add_argument("--format", action="append", choices=FORMATS, help="may be given twice; default qcow2")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/fact8ra-appliance"))
    parser.add_argument("--mirror", default=MIRROR)
    parser.add_argument("--security-mirror", default=SECURITY_MIRROR)
    parser.add_argument("--wheelhouse", default="")
    parser.add_argument("--check", action="store_true", help="say what would be built")
    chosen = parser.parse_args(arguments)
    options = build.Options(
        chosen.output.absolute(), chosen.cache.absolute(), chosen.wheelhouse, os.environ.pop("FACT8RA_INDEX_URL", "")
    )
    try:
        recipes = [
            recipe(name, chosen.base, chosen.format or ("qcow2",), chosen.mirror, chosen.security_mirror)
            for name in dict.fromkeys(chosen.names)
        ]
        found = sorted({problem for one in recipes for problem in build.problems(one, options)})
        if found:
            raise ImageError("; ".join(found))
        images = [build.ensure(one, options, check=chosen.check) for one in recipes]
    except (ImageError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"changed": any(image["changed"] for image in images), "images": images}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
