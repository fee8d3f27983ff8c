# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The root file system that an image begins with, as a tree of its own."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import given
from .paths import matches, remove, write
from .recipe import (
    COMMON,
    DOCUMENTS_LEFT_OUT,
    EPOCH,
    MACHINE,
    MIRROR,
    MODULES_LEFT_OUT,
    SECURITY_MIRROR,
    SUITE,
    Recipe,
    debian_packages,
)
from .system import locked, run, scratch_parent

#: Bytes that Debian's packages take unpacked.
_NEEDED: Final = 1_500_000_000
#: What dpkg leaves out, also when the machine is updated.
DPKG_OPTIONS: Final = (
    *(f"path-exclude=/usr/share/{name}/*" for name in DOCUMENTS_LEFT_OUT),
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/i18n/locales/*",
    # The signed image of GRUB has what it needs.
    "path-exclude=/usr/lib/grub/x86_64-efi/*",
    *(f"path-exclude=/lib/modules/*/kernel/{name}/*" for name in MODULES_LEFT_OUT),
)


def make(recipe: Recipe, tree: Path, cache: Path) -> None:
    """Make the tree. Raises ImageError when packages, tools or parts of the base are missing."""
    if not recipe.base:
        archive = _debian(recipe, cache)
        tree.mkdir()
        run(
            ["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(tree), "-xf", str(archive)],
            timeout=600,
        )
        # The archive may be of another mirror with the same packages.
        write_sources(tree, sources(recipe.mirror, recipe.security_mirror))
    elif Path(recipe.base).is_dir():
        # With the dot, as the tree would be a link to the base where that is one.
        run(["cp", "-a", "--reflink=auto", f"{recipe.base}/.", str(tree)], timeout=600)
    else:
        given.unpack(Path(recipe.base), tree)


def _debian(recipe: Recipe, cache: Path) -> Path:
    """Debian from packages, as an archive that all images of the same state of the mirrors share."""
    packages = sorted({*COMMON, *MACHINE, *debian_packages(("flower", "firewall", "transport"))})
    told = json.dumps([recipe.base_state, packages, DPKG_OPTIONS, EPOCH])
    archive = cache / f"debian-{hashlib.sha256(told.encode()).hexdigest()[:16]}.tar"
    with locked(cache / ".debian.lock"):
        if not archive.exists():
            for old in cache.glob("debian-*.tar"):
                old.unlink()
            with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as scratch:
                new = Path(scratch) / "debian.tar"
                run(
                    [
                        *(
                            "mmdebstrap",
                            "--quiet",
                            "--variant=minbase",
                            "--format=tar",
                            f"--include={','.join(packages)}",
                        ),
                        "--dpkgopt=force-unsafe-io",
                        *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
                        *(SUITE, str(new)),
                        *sources(recipe.mirror, recipe.security_mirror),
                    ],
                    timeout=1800,
                    environment={"SOURCE_DATE_EPOCH": str(EPOCH), "TMPDIR": str(scratch_parent(cache, _NEEDED))},
                )
                new.rename(archive)
    return archive


def sources(mirror: str = MIRROR, security_mirror: str = SECURITY_MIRROR) -> list[str]:
    """Lines of apt: the release, its updates and its security updates; without mirrors Debian's own."""
    return [
        f"deb {mirror} {SUITE} main",
        f"deb {mirror} {SUITE}-updates main",
        f"deb {security_mirror} {SUITE}-security main",
    ]


def write_sources(tree: Path, lines: Sequence[str]) -> None:
    """Let apt in a tree that was made from packages use these lines and no others."""
    for path in matches(tree, "etc/apt/sources.list.d/*"):
        remove(path)
    write(tree, "etc/apt/sources.list", "".join(f"{line}\n" for line in lines))
