# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The same app on Flower as it comes: one SuperLink and the SuperNodes on loopback, no TLS, no keys, no units.

What a run on a deployed federation takes longer than this is the price of the deployment.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from poctools.common import APP, ToolError


def free_ports(count: int) -> list[int]:
    """Return TCP ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _unused in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Federation:
    """The processes of a bare federation; a context manager that leaves none behind."""

    def __init__(self, home: Path, data: Path, nodes: Sequence[str]) -> None:
        self.home = home
        self.data = data
        self.nodes = list(nodes)
        self.ports = free_ports(1 + len(self.nodes))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """host:port of the SuperLink."""
        return f"127.0.0.1:{self.ports[0]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, *command: str) -> None:
        """Start a program of this interpreter's environment in a session of its own."""
        binaries = Path(sys.executable).parent
        environment = {
            "PATH": f"{binaries}:/usr/bin:/bin",
            "HOME": str(self.home),
            "FLWR_HOME": str(self.home / name),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "FACT8RA_DATA_DIR": str(self.data / "server"),
            "FACT8RA_RESULTS_DIR": str(self.home / "results"),
        }
        with (self.home / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(binaries / command[0]), *command[1:]],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_all(self) -> None:
        """Start the SuperLink, then the SuperNodes."""
        flags = ("--insecure", "--host", "127.0.0.1")
        superlink = ("flower-superlink", *flags, "--port", str(self.ports[0]))
        self.start("superlink", *superlink, "--disable-runtime-dependency-installation")
        self.wait("the SuperLink to answer", self.healthy)
        for name, port in zip(self.nodes, self.ports[1:], strict=True):
            config = f'name="{name}" data-path="{self.data / "nodes" / name}"'
            supernode = ("flower-supernode", *flags, "--port", str(port), "--superlink", self.address)
            self.start(name, *supernode, "--node-config", config)

    def stop(self) -> None:
        """End every process and what it has started: politely, then by force."""
        for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            for process in self.processes.values():
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    pass
            deadline = time.monotonic() + seconds
            while any(self.groups()) and time.monotonic() < deadline:
                time.sleep(0.1)

    def groups(self) -> list[int]:
        """Return the process groups that still have members."""
        found = []
        for process in self.processes.values():
            process.poll()
            try:
                os.killpg(process.pid, 0)
                found.append(process.pid)
            except ProcessLookupError:
                pass
        return found

    def healthy(self) -> bool:
        """Whether the SuperLink answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait(self, what: str, check: Callable[[], bool], seconds: float = 120.0) -> None:
        """Return once ``check`` is true; raises ToolError with the ends of the logs if a process dies or time is up."""
        deadline = time.monotonic() + seconds
        while not check():
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                why = f"{', '.join(dead)} ended" if dead else f"it took more than {seconds:g} s"
                raise ToolError(f"bare Flower: waited for {what}, but {why}\n{self.tails()}")
            time.sleep(0.1)

    def tails(self) -> str:
        """Return the last lines of every log."""
        parts = []
        for name in self.processes:
            lines = (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
            parts += [f"--- {name}", *lines[-15:]]
        return "\n".join(parts)


def baseline(data: Path, nodes: Sequence[str], config: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Run the app once on a bare federation and return its metrics with ``startup_seconds`` and ``run_seconds``.

    Raises ToolError if it does not come to an end in ``timeout`` seconds or the run fails.
    """
    # Imported late: it takes a second, and the other tools do without.
    from flwr.cli.build import build_fab_from_disk
    from flwr.common.serde import fab_to_proto, user_config_to_proto
    from flwr.proto.control_pb2 import ListNodesRequest, ListRunsRequest, StartRunRequest
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.fab import Fab
    from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor

    bundle = build_fab_from_disk(APP)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="fact8ra-baseline-") as home,
        Federation(Path(home), data, nodes) as federation,
    ):
        federation.start_all()
        client = ControlHttpClient.from_server_address(
            federation.address,
            insecure=True,
            root_certificates=None,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
        )

        def online() -> bool:
            found = client.ListNodes(ListNodesRequest()).nodes_info
            return sum(1 for node in found if node.status == "online") == len(nodes)

        federation.wait("the SuperNodes to come online", online)
        started = time.monotonic()
        answer = client.StartRun(
            StartRunRequest(
                fab=fab_to_proto(Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})),
                override_config=user_config_to_proto(config),
            )
        )

        def status() -> Any:
            return client.ListRuns(ListRunsRequest(run_id=answer.run_id)).run_dict[answer.run_id].status

        federation.wait("the run to finish", lambda: bool(status().status == "finished"), timeout)
        finished = time.monotonic()
        last = status()
        if last.sub_status != "completed":
            raise ToolError(f"bare Flower: the run ended as {last.sub_status}: {last.details}\n{federation.tails()}")
        path = federation.home / "results" / str(answer.run_id) / "metrics.json"
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return metrics | {
        "startup_seconds": round(started - began, 3),
        "run_seconds": round(finished - started, 3),
    }
