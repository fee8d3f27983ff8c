# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Reading sysfs, procfs and other files of a host under a root, so that tests need no host; never raises.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


class Tree:
    """The files of a host.

    What is missing is None. What is there and cannot be read or makes no sense is None too, and is noted.

    Attributes:
        unreadable: what was noted, as sentences without a full stop.
        denied: paths that this account may not read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: list[str] = []
        self.denied: list[str] = []

    def at(self, path: str) -> Path:
        """Return the place of an absolute path."""
        return self.root / path.lstrip("/")

    def raw(self, path: str, size: int = -1) -> bytes | None:
        """Return the first C(size) bytes of a file, all with -1, or None."""
        try:
            with self.at(path).open("rb") as stream:
                return stream.read(size)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except PermissionError:
            self.denied.append(path)
        except (OSError, ValueError) as error:
            self.note(path, getattr(error, "strerror", None) or str(error))
        return None

    def text(self, path: str) -> str | None:
        """Return a file's text without white space around it, or None."""
        content = self.raw(path)
        return None if content is None else content.decode("utf-8", "replace").strip().strip("\0")

    def value(self, path: str, parse: Callable[[str], Value], what: str) -> Value | None:
        """Return what C(parse) makes of a file; None, with a note that says what was expected, where it cannot."""
        text = self.text(path)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            self.note(path, f"{text[:40]!r} is not {what}")
            return None

    def number(self, path: str) -> int | None:
        """Return the decimal number in a file, or None."""
        return self.value(path, int, "a number")

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a directory, none where there is no such."""
        try:
            return sorted(os.listdir(self.at(path)))
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return []
        except PermissionError:
            self.denied.append(path)
        except OSError as error:
            self.note(path, error.strerror or str(error))
        return []

    def link(self, path: str) -> str | None:
        """Return where a symbolic link points, as written, or None."""
        try:
            return _printable(os.readlink(self.at(path)))
        except PermissionError:
            self.denied.append(path)
        except OSError:
            pass
        return None

    def link_name(self, path: str) -> str | None:
        """Return the last part of where a symbolic link points, or None."""
        target = self.link(path)
        return None if target is None else os.path.basename(target.rstrip("/")) or None

    def exists(self, path: str) -> bool:
        """Whether there is something, a link that leads nowhere included."""
        return os.path.lexists(self.at(path))

    def note(self, path: str, what: str) -> None:
        """Note that a file makes no sense."""
        self.unreadable.append(_printable(f"{path}: {what}"))


def _printable(text: str) -> str:
    """Return a name from the file system without the bytes that are no UTF-8, which no result could carry."""
    return os.fsencode(text).decode("utf-8", "replace")
