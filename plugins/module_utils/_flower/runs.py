# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Submitting runs under labels and collecting what they leave. Private to this collection; it may change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.app import App, build_fab
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control, Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.labels import Entry, Labels
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.watch import Followed, Verdict

# Names that role run takes to the controller; `_run_fit_file` in its variables is the same.
_TAKEN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")

# Runs that the SuperLink is asked for when a submission was cut off before its id was known.
_RECENT = 100


@dataclass(frozen=True)
class Submission:
    """Outcome of a submission; `run_id` is empty in check mode, `before` and `after` are for the diff."""

    label: str
    run_id: str
    changed: bool
    before: dict[str, Any]
    after: dict[str, Any]


def default_label(app: App, fab_hash: str, config: dict[str, Any]) -> str:
    """Return a label that is the same for the same app, build and configuration."""
    label = f"{app.name}-{app.version}-{fab_hash[:8]}"
    if not config:
        return label
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return f"{label}-{digest[:8]}"


def submit(
    control: Control,
    labels: Labels,
    app: App,
    config: dict[str, Any],
    label: str,
    force: bool,
    succeeded: Callable[[Run], bool],
    check_mode: bool,
) -> Submission:
    """Start a run, or return the one that the label already has.

    An active run is returned, and so is one that succeeded unless `force` is set; a failed or stopped one is replaced.

    Args:
        control: The SuperLink.
        labels: Which run belongs to which label.
        app: The app, built here.
        config: Typed overrides.
        label: Name of the submission; empty for `default_label`.
        force: Start again although the run of this label succeeded.
        succeeded: Judges a run that is over.
        check_mode: Start nothing.

    Raises:
        FlowerFailure: the label belongs to another build or configuration, or the SuperLink refuses the run.
    """
    fab, fab_hash = build_fab(app)
    label = label or default_label(app, fab_hash, config)
    after = {"label": label, "app": f"{app.publisher}/{app.name}", "fab_hash": fab_hash, "config": config}
    with labels.locked() if not check_mode else contextlib.nullcontext(labels.read()) as entries:
        entry = entries.get(label)
        run = _find(control, entries, entry) if entry else None
        if entry and run:
            known = {**after, "fab_hash": entry.fab_hash, "config": entry.config}
            replace = run.ended and (force or not succeeded(run))
            if not replace:
                if known != after:
                    raise _taken(label, run, entry, fab_hash, config)
                entries[label] = Entry(run.run_id, entry.fab_hash, entry.config, entry.noted_at)
                if not check_mode and not entry.run_id:
                    labels.write(entries)
                return Submission(label, run.run_id, False, after, after)
        if check_mode:
            return Submission(label, "", True, {}, after)
        # One second of slack: the note is older than the run whatever the rounding of the SuperLink's times.
        noted = datetime.now(UTC) - timedelta(seconds=1)
        entries[label] = Entry("", fab_hash, config, noted.isoformat())
        labels.write(entries)
        run_id = control.start_run(fab, fab_hash, config)
        entries[label].run_id = run_id
        labels.write(entries)
    return Submission(label, run_id, True, {}, after)


def _find(control: Control, entries: dict[str, Entry], entry: Entry) -> Run | None:
    """Return the run of an entry, None when the SuperLink does not know one."""
    if entry.run_id:
        try:
            return control.run(entry.run_id)
        except FlowerFailure as failure:
            if failure.code != "run_not_found":
                raise
            return None
    others = {other.run_id for other in entries.values()}
    noted = datetime.fromisoformat(entry.noted_at)
    for run in control.runs(_RECENT):
        fits = (run.fab_hash, run.config) == (entry.fab_hash, entry.config) and run.run_id not in others
        if fits and datetime.fromisoformat(run.pending_at) >= noted:
            return run
    return None


def _taken(label: str, run: Run, entry: Entry, fab_hash: str, config: dict[str, Any]) -> FlowerFailure:
    differs = []
    if entry.fab_hash != fab_hash:
        differs.append(f"another build of the app ({entry.fab_hash[:8]}, not {fab_hash[:8]})")
    if entry.config != config:
        differs.append(f"another run_config ({entry.config}, not {config})")
    remedy = "set force to start again" if run.ended else "stop that run"
    return FlowerFailure(
        "label_taken",
        f"label {label} belongs to run {run.run_id} ({run.status}) of {' and '.join(differs)}; choose another label, "
        f"or {remedy}.",
        {"run_id": run.run_id, "status": run.status},
    )


def resolve(labels: Labels, label: str, run_id: str) -> tuple[str, str]:
    """Return label and run id for either of them; the label is empty when a run has none.

    Raises:
        FlowerFailure: nobody submitted a run under this label.
    """
    entries = labels.read()
    if run_id:
        return next((name for name, entry in entries.items() if entry.run_id == run_id), ""), run_id
    entry = entries.get(label)
    if entry is None or not entry.run_id:
        known = ", ".join(sorted(name for name, other in entries.items() if other.run_id)) or "none"
        raise FlowerFailure(
            "label_unknown", f"label {label} has no run; state submitted makes one. Known labels: {known}."
        )
    return label, entry.run_id


def missing_files(results: str, run_id: str, required: list[str]) -> list[str]:
    """Return the required files that the ServerApp did not write, or left empty."""
    return [name for name in required if not _plain(Path(results, run_id, name))]


def _plain(path: Path) -> bool:
    """Whether a path is a plain file with something in it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def collect(results: str, state: str, seen: Followed) -> tuple[list[dict[str, Any]], bool, list[str]]:
    """Copy log and results of a run to the folder `<state>/<run id>`, which only root may enter.

    The ServerApp's code is the data scientist's and runs as another user, so nothing but plain files of one name is
    taken: a link could point to any file of this host.

    Returns:
        The files, each with `name`, `path` and `size`; whether any was new; names that were left because they have
        other characters than letters, digits, dot, underscore and hyphen, or begin with a dot or hyphen.
    """
    run_id = seen.run.run_id
    target = Path(state, run_id)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        changed = _write_log(target / "log.txt", "\n".join(seen.log.lines) + "\n")
        with _folder(Path(results, run_id)) as folder:
            names = sorted(os.listdir(folder)) if folder is not None else []
            for name in names:
                if name != "log.txt" and _TAKEN.match(name):
                    changed = _copy(folder, name, target / name) or changed
        files = [
            {"name": path.name, "path": str(path), "size": path.stat().st_size}
            for path in sorted(target.iterdir())
            if _TAKEN.match(path.name)
        ]
    except OSError as error:
        raise FlowerFailure("collect", f"The results of run {run_id} cannot be collected: {error}.") from error
    return files, changed, [name for name in names if not _TAKEN.match(name)]


def _write_log(path: Path, text: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return True


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int | None]:
    """Hold a folder open, so that nobody swaps it for a link meanwhile; None when it is none, or a link."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _copy(folder: int | None, name: str, target: Path) -> bool:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        # A link, or gone since it was listed.
        return False
    found = os.fstat(descriptor)
    # A second name of a file may be one that its owner did not mean to show.
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        return False
    with os.fdopen(descriptor, "rb") as reader:
        if target.exists():
            have = target.stat()
            if (have.st_size, have.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
                return False
        with target.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
    target.chmod(0o600)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    return True


def prune(folders: list[str], keep: int, current: str) -> list[str]:
    """Remove the results of all but the `keep` newest runs, never those of `current`; 0 keeps all.

    Returns:
        The ids of the runs whose results were removed.
    """
    if keep <= 0:
        return []
    newest: dict[str, float] = {}
    for folder in folders:
        for path in Path(folder).iterdir() if Path(folder).is_dir() else []:
            if path.name.isdigit() and path.is_dir() and not path.is_symlink():
                newest[path.name] = max(newest.get(path.name, 0.0), path.stat().st_mtime)
    ordered = sorted(newest, key=lambda run: (run == current, newest[run]), reverse=True)
    for run_id in ordered[keep:]:
        for folder in folders:
            shutil.rmtree(Path(folder, run_id), ignore_errors=True)
    return sorted(ordered[keep:])


def report(label: str, seen: Followed, names: dict[str, str], lines: int) -> dict[str, Any]:
    """Return what the module flower_run returns of a run."""
    run, log = seen.run, seen.log
    rounds = log.rounds()
    return {
        "label": label,
        "run_id": run.run_id,
        "status": run.status,
        "details": run.details,
        "ended": run.ended,
        "reached": seen.reached,
        "app": run.app,
        "app_version": run.app_version,
        "fab_hash": run.fab_hash,
        "config": run.config,
        "rounds": rounds,
        "rounds_total": log.total,
        "metrics": log.final or (rounds[-1] if rounds else {}),
        "failures": log.failures(),
        "reply_errors": [
            {"node_id": node, "name": names.get(node, ""), "reason": reason}
            for node, reason in sorted(log.reply_errors.items())
        ],
        "waiting": None if log.waiting is None else {"connected": log.waiting[0], "required": log.waiting[1]},
        "started": run.running_at,
        "finished": run.finished_at,
        "seconds": run.seconds,
        "bytes_sent": run.bytes_sent,
        "bytes_received": run.bytes_received,
        "log": log.tail(lines),
    }


def fail(verdict: Verdict, result: dict[str, Any]) -> FlowerFailure:
    """Return the failure for a run that did not succeed, with all that is known of it."""
    return FlowerFailure(verdict.code, verdict.cause, {"run": result})
