# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_app_archive."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

from flower_fakes import run_main

from ansible_collections.fact8ra.flower.plugins.modules import flower_app_archive

SMOKE = str(Path(__file__).parents[3] / "apps" / "smoke")


def pack(check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the module."""
    return run_main(flower_app_archive.main, {"path": SMOKE, **arguments}, check=check, diff=diff)


def test_packing(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "smoke.tar.gz"
    planned = pack(check=True, diff=True, dest=str(dest))
    assert planned["changed"]
    assert planned["diff"] == {"before": {}, "after": {"checksum": planned["checksum"]}}
    assert not dest.exists()
    done = pack(dest=str(dest), config={"num-server-rounds": "9"})
    assert done["changed"]
    assert done["checksum"] == planned["checksum"]
    assert done["config"] == {"num-server-rounds": 9}
    assert done["app"]["id"] == "fact8ra/smoke"
    with tarfile.open(dest) as tar:
        assert tar.getnames() == done["files"]
    assert not pack(dest=str(dest))["changed"]
    dest.write_text("other")
    assert pack(dest=str(dest))["changed"]


def test_checking_alone() -> None:
    done = pack()
    assert not done["changed"]
    assert done["size"] > 0


def test_failures(tmp_path: Path) -> None:
    assert "no pyproject.toml" in pack(path=str(tmp_path))["msg"]
    assert "not declared by app smoke" in pack(config={"x": 1})["msg"]
    (tmp_path / "file").write_text("")
    assert "cannot be written" in pack(dest=str(tmp_path / "file" / "x"))["msg"]
