# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which run belongs to which label, on disk, so that a lost connection loses nothing. Private to this collection.

A submission is noted before it is made. Whoever finds a note without a run id looks for the run among those that the
SuperLink got since, and adopts it; so a process that dies between the two leaves no run behind unseen.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure


@dataclass
class Entry:
    """The last submission under a label; `run_id` is empty between the note and the answer of the SuperLink."""

    run_id: str = ""
    fab_hash: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    noted_at: str = ""


class Labels:
    """The file `labels.json` in a directory that only root may enter."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.path = self.directory / "labels.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[dict[str, Entry]]:
        """Yield the entries under an exclusive lock, so that two submissions of one label do not cross."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / "labels.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FlowerFailure("state", f"state_directory {self.directory} cannot be used: {error}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.read()
        finally:
            os.close(lock)

    def read(self) -> dict[str, Entry]:
        """Return the entries, none when there is no file.

        Raises:
            FlowerFailure: the file is no such file.
        """
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return {label: Entry(**entry) for label, entry in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise FlowerFailure(
                "state",
                f"{self.path} cannot be read ({error}); move it away to forget which runs belong to which labels.",
            ) from error

    def write(self, entries: dict[str, Entry]) -> None:
        """Replace the file in one step."""
        text = json.dumps({label: asdict(entry) for label, entry in sorted(entries.items())}, indent=1)
        try:
            with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False, encoding="utf-8") as new:
                new.write(text)
                new.flush()
                os.fsync(new.fileno())
            os.replace(new.name, self.path)
        except OSError as error:
            raise FlowerFailure("state", f"{self.path} cannot be written: {error}.") from error
