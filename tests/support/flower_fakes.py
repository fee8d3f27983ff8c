# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A SuperLink in memory with the interface of the control client, for the unit tests of what stands on it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Node, Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.keys import pem_fingerprint

START = "2026-11-24T06:00:00+00:00"


def key_line(name: str) -> str:
    """Return the OpenSSH public key line of a new P-384 key."""
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    text = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{text.decode()} {name}"


def a_run(run_id: str = "7", status: str = "running", **changes: Any) -> Run:
    """Return a run; `changes` replace its fields."""
    run = Run(
        run_id=run_id,
        status=status,
        details="",
        app="fact8ra/smoke",
        app_version="1.0.0",
        fab_hash="aa" * 32,
        config={},
        pending_at=START,
        starting_at=START,
        running_at=START,
        finished_at=START if status.startswith("finished") else "",
        now=START,
        bytes_sent=1,
        bytes_received=2,
        client_seconds=0.5,
    )
    return replace(run, **changes)


class FakeControl:
    """Nodes, runs and logs that a test sets; `calls` lists what would have changed a SuperLink."""

    def __init__(self) -> None:
        self.address = "127.0.0.1:8000"
        self.version = "1.41.0"
        self.known: list[Node] = []
        self.all_runs: dict[str, Run] = {}
        self.logs: dict[str, list[str]] = {}
        self.calls: list[tuple[str, ...]] = []
        self.fail_start: Exception | None = None

    def nodes(self) -> list[Node]:
        """Return the nodes."""
        return list(self.known)

    def register(self, name: str, public_key: bytes, location: str | None) -> str:
        """Add a node."""
        self.calls.append(("register", name))
        node_id = str(100 + len(self.known))
        fingerprint = pem_fingerprint(public_key)
        self.known.append(
            Node(node_id, name, "registered", location or "", START, "", "", "", "", public_key, fingerprint)
        )
        return node_id

    def unregister(self, node: Node) -> None:
        """Burn a node's key."""
        self.calls.append(("unregister", node.name))
        self.known[self.known.index(node)] = replace(node, status="unregistered", unregistered_at=START)

    def runs(self, limit: int) -> list[Run]:
        """Return the newest runs."""
        return sorted(self.all_runs.values(), key=lambda run: run.pending_at, reverse=True)[:limit]

    def run(self, run_id: str) -> Run:
        """Return a run."""
        if run_id not in self.all_runs:
            raise FlowerFailure("run_not_found", f"no run {run_id}")
        return self.all_runs[run_id]

    def start_run(self, _fab: bytes, fab_hash: str, config: dict[str, Any]) -> str:
        """Add a run."""
        run_id = str(1000 + len(self.all_runs))
        self.calls.append(("start", run_id))
        self.all_runs[run_id] = a_run(
            run_id, "pending", fab_hash=fab_hash, config=config, pending_at="2999-01-01T00:00:00+00:00"
        )
        if self.fail_start:
            raise self.fail_start  # pylint: disable=raising-bad-type
        return run_id

    def stop_run(self, run_id: str) -> bool:
        """End a run."""
        self.calls.append(("stop", run_id))
        self.all_runs[run_id] = replace(self.all_runs[run_id], status="finished:stopped", finished_at=START)
        return True

    def log(self, run_id: str, after: float) -> Iterator[tuple[str, float]]:
        """Yield the pieces of the log that are newer."""
        for number, piece in enumerate(self.logs.get(run_id, []), 1):
            if number > after:
                yield piece, float(number)


def run_main(
    main: Callable[[], None], arguments: dict[str, Any], *, check: bool = False, diff: bool = False
) -> dict[str, Any]:
    """Run a module's `main` as Ansible does and return its result, with `failed` always there."""
    private = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
    out = io.StringIO()
    with patch_module_args({**arguments, **private}), redirect_stdout(out), pytest.raises(SystemExit):
        main()
    return {"failed": False, **json.loads(out.getvalue().strip().splitlines()[-1])}
