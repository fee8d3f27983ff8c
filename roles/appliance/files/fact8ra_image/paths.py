# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Paths in a tree as the tree's own system sees them: no link of the tree leads to the files of this machine."""

from __future__ import annotations

import fnmatch
import os
import shutil
from pathlib import Path
from typing import Final

from .system import ImageError

#: As many links as Linux follows in one path (path_resolution(7)).
_MOST_LINKS: Final = 40


def within(tree: Path, name: str, *, follow: bool = False) -> Path:
    """The path of a name in a tree, of which only the last part may be a link, and with `follow` none.

    Absolute links begin at the tree, as they do for its own system.
    Raises ImageError when a link leaves the tree, or links lead in a circle.
    """
    here: list[str] = []
    pending = _parts(name)
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if not here:
                raise ImageError(f"{name} of the base leads out of it by a link; it must lead to a file in the base")
            here.pop()
            continue
        path = tree.joinpath(*here, part)
        if not path.is_symlink() or not (pending or follow):
            here.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise ImageError(f"{name} of the base has links in a circle; it must lead to a file in the base")
        target = os.readlink(path)
        if target.startswith("/"):
            here.clear()
        pending.extend(_parts(target))
    return tree.joinpath(*here)


def _parts(name: str) -> list[str]:
    """The parts of a path, last first."""
    return [part for part in reversed(name.split("/")) if part not in ("", ".")]


def matches(tree: Path, pattern: str) -> list[Path]:
    """What is in a tree of a pattern, in whose parts `*` and `?` stand for names; the last part may be a link."""
    names = [""]
    for part in pattern.split("/"):
        directories = {name: within(tree, name, follow=True) for name in names}
        names = [
            f"{name}/{entry}"
            for name, directory in directories.items()
            if directory.is_dir()
            for entry in sorted(fnmatch.filter(os.listdir(directory), part))
        ]
    return [within(tree, name) for name in names]


def place(tree: Path, name: str) -> Path:
    """Where a file of that name is to be made: its directory is there, and no file or link of the name."""
    path = within(tree, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def write(tree: Path, name: str, text: str, mode: int = 0o644) -> None:
    """Make a file in a tree; a link of that name is replaced."""
    path = place(tree, name)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all that is in it; of a link not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
