# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m fact8ra_appliance boot``: what fact8ra-appliance.service runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fact8ra_appliance", description="An appliance that configures itself")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("boot", help="bring this VM to its context and say what came of it")
    parser.parse_args(arguments)
    # Late, as it takes a part of a second.
    from .boot import Boot
    from .report import Reporter

    os.umask(0o022)
    return Boot(reporter=Reporter(root=Path("/"))).run()


if __name__ == "__main__":
    sys.exit(main())
