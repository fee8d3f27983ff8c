# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Labels, submissions, and what a run leaves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flower_fakes import FakeControl, a_run

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import runs
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.app import read_app
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.labels import Labels
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.watch import Followed

SMOKE = read_app(str(Path(__file__).parents[4] / "apps" / "smoke"))


class Superlink:
    """A SuperLink with labels; the FAB is what a test says."""

    def __init__(self, directory: Path) -> None:
        self.control: Any = FakeControl()
        self.labels = Labels(str(directory / "state"))
        self.good = True

    def submit(self, label: str = "one", **options: Any) -> runs.Submission:
        """Submit the smoke app."""
        arguments = {"config": {}, "force": False, "check_mode": False, **options}
        return runs.submit(self.control, self.labels, SMOKE, label=label, succeeded=lambda _run: self.good, **arguments)

    def end(self, run_id: str, status: str) -> None:
        """End a run."""
        self.control.all_runs[run_id] = replace(self.control.all_runs[run_id], status=status)


@pytest.fixture(name="link")
def _link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Superlink:
    monkeypatch.setattr(runs, "build_fab", lambda _app: (b"fab", "aa" * 32))
    return Superlink(tmp_path)


def test_a_label_is_submitted_once(link: Superlink) -> None:
    first = link.submit()
    assert (first.changed, first.run_id) == (True, "1000")
    for status in ("running", "finished:completed"):
        link.end("1000", status)
        again = link.submit()
        assert (again.changed, again.run_id) == (False, "1000")
    assert link.control.calls == [("start", "1000")]
    assert oct((link.labels.directory).stat().st_mode & 0o777) == "0o700"


def test_check_mode_writes_nothing(link: Superlink) -> None:
    planned = link.submit(check_mode=True)
    assert (planned.changed, planned.run_id) == (True, "")
    assert link.control.calls == []
    assert not link.labels.directory.exists()


def test_a_failed_or_forced_run_is_replaced_but_no_active_one(link: Superlink) -> None:
    link.submit()
    assert not link.submit(force=True).changed  # it is active
    link.end("1000", "finished:failed")
    link.good = False
    assert link.submit().run_id == "1001"
    link.good = True
    link.end("1001", "finished:completed")
    assert link.submit(force=True).run_id == "1002"


def test_an_answer_that_was_lost_is_found_again(link: Superlink) -> None:
    link.control.fail_start = FlowerFailure("timeout", "no answer")
    with pytest.raises(FlowerFailure):
        link.submit()
    link.control.fail_start = None
    found = link.submit()
    assert (found.changed, found.run_id) == (False, "1000")
    assert link.labels.read()["one"].run_id == "1000"


def test_a_run_of_another_label_or_of_before_is_not_adopted(link: Superlink) -> None:
    link.submit("other")
    link.control.all_runs["5"] = a_run("5", pending_at="2020-01-01T00:00:00+00:00")
    with link.labels.locked() as entries:
        entries["one"] = replace(entries["other"], run_id="")
        link.labels.write(entries)
    assert link.submit("one").changed


def test_a_superlink_that_forgot_gets_a_new_run(link: Superlink) -> None:
    link.submit()
    link.control.all_runs.clear()
    assert link.submit().changed


def test_a_label_of_something_else(link: Superlink, monkeypatch: pytest.MonkeyPatch) -> None:
    link.submit()
    with pytest.raises(FlowerFailure, match=r"label one belongs to run 1000 \(pending\) of another run_config"):
        link.submit(config={"num-server-rounds": 9})
    monkeypatch.setattr(runs, "build_fab", lambda _app: (b"fab", "bb" * 32))
    with pytest.raises(FlowerFailure, match=r"another build of the app \(aaaaaaaa, not bbbbbbbb\)"):
        link.submit()
    link.end("1000", "finished:completed")
    with pytest.raises(FlowerFailure, match="set force to start again"):
        link.submit()
    assert link.submit(force=True).changed


def test_labels_by_content() -> None:
    assert runs.default_label(SMOKE, "ab" * 32, {}) == "smoke-1.0.0-abababab"
    one = runs.default_label(SMOKE, "ab" * 32, {"a": 1, "b": 2})
    assert one == runs.default_label(SMOKE, "ab" * 32, {"b": 2, "a": 1})
    assert one != runs.default_label(SMOKE, "ab" * 32, {"a": 1})


def test_resolving(link: Superlink) -> None:
    link.submit()
    assert runs.resolve(link.labels, "one", "") == ("one", "1000")
    assert runs.resolve(link.labels, "", "1000") == ("one", "1000")
    assert runs.resolve(link.labels, "", "99") == ("", "99")
    with pytest.raises(FlowerFailure, match="Known labels: one"):
        runs.resolve(link.labels, "two", "")


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"strange": 1}}'])
def test_a_broken_state_file_is_named(link: Superlink, text: str) -> None:
    link.labels.directory.mkdir()
    link.labels.path.write_text(text)
    with pytest.raises(FlowerFailure, match=r"labels\.json cannot be read"):
        link.submit()


def test_a_state_directory_that_cannot_be(link: Superlink, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FlowerFailure, match="cannot be used"), Labels(str(tmp_path / "file" / "x")).locked():
        pass


def finished(tmp_path: Path) -> tuple[str, str, Followed]:
    """Return results and state directory, and a run with a log."""
    (tmp_path / "results" / "7").mkdir(parents=True)
    seen = Followed(a_run("7", "finished:completed"))
    seen.log.feed("line\n")
    return str(tmp_path / "results"), str(tmp_path / "state"), seen


def test_collecting_takes_plain_files_and_nothing_else(tmp_path: Path) -> None:
    results, state, seen = finished(tmp_path)
    folder = Path(results, "7")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "model.npz").write_bytes(b"model")
    (folder / "link").symlink_to(secret)
    os.link(secret, folder / "hard")
    os.mkfifo(folder / "pipe")
    (folder / "sub").mkdir()
    (folder / "log.txt").write_text("not the log")
    for name in (".hidden", "-rf", "a b", "new\nline", "caf\u00e9"):
        (folder / name).write_text("x")
    files, changed, left = runs.collect(results, state, seen)
    assert changed
    assert [(item["name"], item["size"]) for item in files] == [("log.txt", 5), ("model.npz", 5)]
    assert left == sorted((".hidden", "-rf", "a b", "new\nline", "caf\u00e9"))
    assert Path(state, "7", "log.txt").read_text() == "line\n"
    assert oct(Path(state, "7", "model.npz").stat().st_mode & 0o777) == "0o600"
    assert runs.collect(results, state, seen)[1] is False
    (folder / "model.npz").write_bytes(b"a larger model")
    assert runs.collect(results, state, seen)[1] is True


def test_a_linked_folder_is_not_entered(tmp_path: Path) -> None:
    results, state, seen = finished(tmp_path)
    Path(results, "7").rmdir()
    Path(results, "7").symlink_to("/etc")
    assert [item["name"] for item in runs.collect(results, state, seen)[0]] == ["log.txt"]


def test_missing_files(tmp_path: Path) -> None:
    results, _state, _seen = finished(tmp_path)
    (Path(results) / "7" / "empty").write_text("")
    (Path(results) / "7" / "full").write_text("x")
    assert runs.missing_files(results, "7", ["empty", "full", "none"]) == ["empty", "none"]


def test_pruning(tmp_path: Path) -> None:
    folders = [str(tmp_path / "state"), str(tmp_path / "results"), str(tmp_path / "nowhere")]
    for age, run_id in enumerate(["4", "3", "2", "1"]):
        for folder in folders[:2]:
            path = Path(folder, run_id)
            path.mkdir(parents=True)
            os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "state" / "apps").mkdir()
    assert runs.prune(folders, 0, "1") == []
    assert runs.prune(folders, 2, "1") == ["2", "3"]  # the current run stays, however old
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["1", "4", "apps"]
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["1", "4"]
