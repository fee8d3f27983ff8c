# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""State on disk: one SQLite file, one row an object, so that a change of one of hundreds of VMs writes one row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class Store:
    """Rows of JSON by kind and id, and single values by name. Not locked: its user holds one lock around it."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(str(path) if path else ":memory:", check_same_thread=False, isolation_level=None)
        # The state outlives the process, not a power cut: an fsync a change would cost more than the change.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA journal_mode=MEMORY")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS object (kind TEXT, id INTEGER, body TEXT NOT NULL, PRIMARY KEY (kind, id))"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS value (name TEXT PRIMARY KEY, body TEXT NOT NULL)")

    def rows(self, kind: str) -> Iterator[dict[str, Any]]:
        """All objects of a kind, in the order of their ids."""
        for (body,) in self._db.execute("SELECT body FROM object WHERE kind=? ORDER BY id", (kind,)).fetchall():
            yield json.loads(body)

    def value(self, name: str, default: Any = None) -> Any:
        """A single value, or the default."""
        row = self._db.execute("SELECT body FROM value WHERE name=?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def write(
        self,
        changed: Iterable[tuple[str, int, dict[str, Any]]],
        gone: Iterable[tuple[str, int]],
        values: dict[str, Any],
    ) -> None:
        """Writes changed and removed objects and values in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR REPLACE INTO object VALUES (?, ?, ?)",
            [(kind, number, json.dumps(body)) for kind, number, body in changed],
        )
        self._db.executemany("DELETE FROM object WHERE kind=? AND id=?", list(gone))
        self._db.executemany(
            "INSERT OR REPLACE INTO value VALUES (?, ?)", [(name, json.dumps(body)) for name, body in values.items()]
        )
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
