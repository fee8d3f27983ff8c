# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The states of module flower_run. Private to this collection; it may change without notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.app import fuse, opened
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control, Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.labels import Labels
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.runlog import RunLog
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.runs import (
    collect,
    fail,
    missing_files,
    prune,
    report,
    resolve,
    submit,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.watch import (
    Followed,
    Limits,
    Verdict,
    follow,
    judge,
)

# Configuration keys that apps use for the number of rounds, for those whose log does not tell it at the begin.
_ROUND_KEYS = ("num-server-rounds", "num_server_rounds", "num-rounds", "num_rounds", "rounds")
_NO_LIMITS = Limits(0, 0)


def act(module: AnsibleModule) -> Mapping[str, Any]:
    """Do what the parameters of module flower_run ask for; raises FlowerFailure."""
    params = module.params
    run_id = params["run_id"] or ""
    if run_id and not run_id.isdigit():
        raise FlowerFailure("run_id", f"run_id {run_id!r} is no run id; it must be a decimal number.")
    control = Control(params["address"], params["root_certificates"], params["timeout"])
    labels = Labels(params["state_directory"])
    if params["state"] == "submitted":
        return _submitted(module, control, labels)
    label, run_id = resolve(labels, params["label"] or "", run_id)
    state = {"waited": _waited, "finished": _finished, "stopped": _stopped}[params["state"]]
    return state(module, control, label, run_id)


def _submitted(module: AnsibleModule, control: Control, labels: Labels) -> Mapping[str, Any]:
    params = module.params

    def succeeded(run: Run) -> bool:
        seen = follow(control, run.run_id, _ended, 0, _NO_LIMITS)
        return _verdict(params, seen, {}).success

    with opened(params["app"]) as app:
        config = fuse(app, params["run_config"])
        done = submit(
            control, labels, app, config, params["label"] or "", params["force"], succeeded, module.check_mode
        )
    result: dict[str, Any] = {"label": done.label}
    if done.run_id:
        # A new run has no log yet.
        seen = (
            Followed(control.run(done.run_id)) if done.changed else follow(control, done.run_id, _always, 0, _NO_LIMITS)
        )
        result = report(done.label, seen, {}, params["log_lines"])
        result["rounds_total"] = _total(result["rounds_total"], {**app.config, **config})
    return {"changed": done.changed, "diff": {"before": done.before, "after": done.after}, **result}


def _waited(module: AnsibleModule, control: Control, label: str, run_id: str) -> Mapping[str, Any]:
    params = module.params
    wanted = params["until_round"]

    def until(run: Run, log: RunLog) -> bool:
        begun = run.status == "running" and log.total is not None
        return log.last_round() >= wanted if wanted else begun or log.last_round() > 0

    seen = _follow(module, control, run_id, until)
    return {"changed": False, **report(label, seen, _names(control, seen), params["log_lines"])}


def _finished(module: AnsibleModule, control: Control, label: str, run_id: str) -> Mapping[str, Any]:
    params = module.params
    seen = _follow(module, control, run_id, _ended)
    names = _names(control, seen)
    result = report(label, seen, names, params["log_lines"])
    if not seen.run.ended:
        verdict = Verdict(
            False,
            "timeout",
            f"Run {run_id} is still {seen.run.status} after {params['wait_timeout']:g} s (wait_timeout), "
            f"{seen.log.last_round()} rounds done. It was left alone: its label finds it again, state stopped ends it.",
        )
        raise fail(verdict, result)
    changed = False
    if not module.check_mode:
        result["files"], changed, left = collect(params["results_directory"], params["state_directory"], seen)
        if left:
            module.warn(
                f"Run {run_id}: {', '.join(map(repr, left))} not collected; names may have letters, digits, '.', '_' "
                "and '-' alone and begin with neither '.' nor '-'."
            )
        pruned = prune([params["state_directory"], params["results_directory"]], params["keep"], run_id)
        changed = changed or bool(pruned)
    verdict = _verdict(params, seen, names)
    if not verdict.success:
        raise fail(verdict, result)
    return {"changed": changed, **result}


def _stopped(module: AnsibleModule, control: Control, label: str, run_id: str) -> Mapping[str, Any]:
    active = not control.run(run_id).ended
    changed = active and (module.check_mode or control.stop_run(run_id))
    seen = follow(control, run_id, _always, 0, _NO_LIMITS)
    return {"changed": changed, **report(label, seen, {}, module.params["log_lines"])}


def _follow(module: AnsibleModule, control: Control, run_id: str, until: Any) -> Followed:
    """Follow the run; one that is stuck carries what is known of it."""
    params = module.params
    limits = Limits(params["pending_timeout"], params["nodes_timeout"])
    seconds = 0.0 if module.check_mode else params["wait_timeout"]
    seen = follow(control, run_id, until, seconds, limits)
    if seen.problem:
        run = report("", seen, {}, params["log_lines"])
        raise FlowerFailure(seen.problem.code, seen.problem.message, {**seen.problem.details, "run": run})
    return seen


def _verdict(params: Mapping[str, Any], seen: Followed, names: dict[str, str]) -> Verdict:
    missing = missing_files(params["results_directory"], seen.run.run_id, params["required_files"])
    return judge(seen, names, params["accept_failures"], missing)


def _names(control: Control, seen: Followed) -> dict[str, str]:
    """Return node id -> name, where there is an error to attribute."""
    return {node.node_id: node.name for node in control.nodes()} if seen.log.reply_errors else {}


def _total(seen: int | None, config: Mapping[str, Any]) -> int | None:
    found = [config[key] for key in _ROUND_KEYS if isinstance(config.get(key), int)]
    return seen if seen is not None else next(iter(found), None)


def _ended(run: Run, _log: RunLog) -> bool:
    return run.ended


def _always(_run: Run, _log: RunLog) -> bool:
    return True
