# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Control API of a SuperLink through Flower's own classes. Private to this collection; it may change without notice.

The classes are internal to flwr, so the minor version is pinned. The command line is no alternative: it exits 0 on
errors and on failed runs. Wire: POST /v1/control/<verb>, `application/protobuf`; an error is JSON {code, detail}.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import logging
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure, connection_cause

SUPPORTED_MINOR = "1.41"

# flwr.supercore.error.base.ApiErrorCode
RUN_NOT_FOUND, RUN_ALREADY_FINISHED = 16, 18

# A silent log stream is given up after so many seconds, to look at the state of the run.
STREAM_PATIENCE = 2.0


@dataclass(frozen=True)
class Node:
    """A SuperNode as the SuperLink knows it; times are ISO 8601 in UTC or empty, ids are decimal text."""

    node_id: str
    name: str
    status: str
    location: str
    registered_at: str
    online_since: str
    offline_since: str
    unregistered_at: str
    last_heartbeat: str
    public_key: bytes
    fingerprint: str

    def public(self) -> dict[str, Any]:
        """Return what a module returns of the node."""
        return {key: value for key, value in self.__dict__.items() if key != "public_key"}


@dataclass(frozen=True)
class Run:
    """A run as the SuperLink knows it; `status` is as Flower prints it, e.g. finished:completed."""

    run_id: str
    status: str
    details: str
    app: str
    app_version: str
    fab_hash: str
    config: dict[str, Any]
    pending_at: str
    starting_at: str
    running_at: str
    finished_at: str
    now: str
    bytes_sent: int
    bytes_received: int
    client_seconds: float

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.status.startswith("finished")

    @property
    def seconds(self) -> float | None:
        """Seconds between running and finished, until now for an active run, None before it runs."""
        return seconds_between(self.running_at, self.finished_at or self.now)

    def public(self) -> dict[str, Any]:
        """Return what a module returns of the run."""
        return {**{key: value for key, value in self.__dict__.items() if key != "now"}, "seconds": self.seconds}


def seconds_between(start: str, end: str) -> float | None:
    """Return the seconds between two ISO 8601 times, None when one is missing."""
    if not start or not end:
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 2)


def installed_version() -> str:
    """Return the version of flwr in this interpreter.

    Raises:
        FlowerFailure: flwr is missing or its minor is not the supported one.
    """
    wanted = "ansible_python_interpreter must be the virtual environment of role flower, /opt/flower/venv/bin/python"
    try:
        version = importlib.metadata.version("flwr")
    except importlib.metadata.PackageNotFoundError:
        raise FlowerFailure("flwr_missing", f"This interpreter has no flwr package; {wanted}.") from None
    if version.split(".")[:2] != SUPPORTED_MINOR.split("."):
        raise FlowerFailure(
            "flwr_version",
            f"flwr {version} is installed, but this collection speaks flwr {SUPPORTED_MINOR}.x, whose internal "
            f"classes change with every minor; set flower_version to a {SUPPORTED_MINOR} release.",
            {"installed": version, "supported": SUPPORTED_MINOR},
        )
    return version


def flwr(name: str) -> Any:
    """Import a module of flwr, silenced: its logger writes to stdout, where Ansible expects the result alone."""
    # Proxies of the environment are for the internet, not for the SuperLink on this host.
    os.environ.update(FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1", NO_PROXY="*")
    module = importlib.import_module(name)
    logger = logging.getLogger("flwr")
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False
    return module


class _ReadTimeout:
    """Interceptor that bounds the silence of a stream; Flower itself would wait for ever."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def intercept(self, context: Any, call_next: Any) -> Any:
        """Set the read timeout once Flower has lifted it, that is after the response began."""
        response = call_next(context)
        timeout = context.request.extensions["timeout"]
        if timeout.get("read") is None:
            timeout["read"] = self.seconds
        return response


class Control:
    """Client of the Control API of one SuperLink.

    Args:
        address: host:port.
        root_certificates: PEM file of the authorities that may have issued the SuperLink's certificate.
        timeout: Seconds for connecting and for each answer.

    Raises:
        FlowerFailure: flwr does not fit, or the file cannot be read.
    """

    def __init__(self, address: str, root_certificates: str, timeout: float) -> None:
        self.address = address
        self.version = installed_version()
        self._httpx = importlib.import_module("httpx")
        self._proto = flwr("flwr.proto.control_pb2")
        interceptors = flwr("flwr.supercore.interceptors")
        control = flwr("flwr.supercore.control")
        self._errors = flwr("flwr.supercore.error")
        try:
            context = ssl.create_default_context(cafile=root_certificates)
        except (OSError, ssl.SSLError) as error:
            raise FlowerFailure(
                "trust",
                f"root_certificates {root_certificates} cannot be used ({error}); it must be a readable PEM file.",
                {"root_certificates": root_certificates},
            ) from error
        self._client = control.ControlHttpClient(
            f"https://{address}",
            interceptors=[
                _ReadTimeout(STREAM_PATIENCE),
                interceptors.RuntimeVersionHttpInterceptor(component_name="fact8ra.flower"),
            ],
            verify=context,
            timeout=timeout,
        )

    def nodes(self) -> list[Node]:
        """Return all SuperNodes, unregistered ones included, by time of registration."""
        with self._translated("list the SuperNodes"):
            answer = self._client.ListNodes(self._proto.ListNodesRequest())
        nodes = [_node(info) for info in answer.nodes_info]
        return sorted(nodes, key=lambda node: (node.registered_at, node.node_id))

    def register(self, name: str, public_key: bytes, location: str | None) -> str:
        """Register a SuperNode and return its id; `public_key` is a PEM SubjectPublicKeyInfo."""
        request = self._proto.RegisterNodeRequest(public_key=public_key, name=name, location=location)
        with self._translated(f"register SuperNode {name}"):
            return str(self._client.RegisterNode(request).node_id)

    def unregister(self, node: Node) -> None:
        """Unregister a SuperNode; Flower never accepts its key again."""
        with self._translated(f"unregister SuperNode {node.name or node.node_id}"):
            self._client.UnregisterNode(self._proto.UnregisterNodeRequest(node_id=int(node.node_id)))

    def runs(self, limit: int) -> list[Run]:
        """Return the last `limit` runs, the newest first."""
        with self._translated("list the runs"):
            answer = self._client.ListRuns(self._proto.ListRunsRequest(limit=limit))
        runs = [_run(run, answer.now) for run in answer.run_dict.values()]
        return sorted(runs, key=lambda run: run.pending_at, reverse=True)

    def run(self, run_id: str) -> Run:
        """Return one run.

        Raises:
            FlowerFailure: with code run_not_found when the SuperLink does not know it.
        """
        with self._translated(f"look up run {run_id}"):
            answer = self._client.ListRuns(self._proto.ListRunsRequest(run_id=int(run_id)))
        return _run(answer.run_dict[int(run_id)], answer.now)

    def start_run(self, fab: bytes, fab_hash: str, config: dict[str, Any]) -> str:
        """Submit a FAB with its typed configuration and return the id of the run."""
        serde = flwr("flwr.common.serde")
        fab_type = flwr("flwr.supercore.fab").Fab
        request = self._proto.StartRunRequest(
            fab=serde.fab_to_proto(fab_type(fab_hash, fab, {})), override_config=serde.user_config_to_proto(config)
        )
        with self._translated("start the run"):
            answer = self._client.StartRun(request)
        if not answer.HasField("run_id"):
            raise FlowerFailure("start_refused", f"SuperLink {self.address} took the app but started no run.")
        return str(answer.run_id)

    def stop_run(self, run_id: str) -> bool:
        """Stop a run; False when it had already ended."""
        try:
            with self._translated(f"stop run {run_id}"):
                return bool(self._client.StopRun(self._proto.StopRunRequest(run_id=int(run_id))).success)
        except FlowerFailure as failure:
            if failure.details.get("api_code") == RUN_ALREADY_FINISHED:
                return False
            raise

    def log(self, run_id: str, after: float) -> Iterator[tuple[str, float]]:
        """Yield pieces of the log newer than `after` with their time, until the run ends or falls silent."""
        request = self._proto.StreamLogsRequest(run_id=int(run_id), after_timestamp=after)
        with self._translated(f"read the log of run {run_id}"):
            try:
                for piece in self._client.StreamLogs(request):
                    yield piece.log_output, piece.latest_timestamp
            except self._httpx.ReadTimeout:
                return

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextlib.contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        """Turn what Flower's client raises into a FlowerFailure that says what was tried."""
        where = f"SuperLink {self.address}"
        try:
            yield
        except self._httpx.HTTPStatusError as error:
            self._refused(where, action, error.response)
        except self._httpx.ReadTimeout as error:
            raise FlowerFailure("timeout", f"Cannot {action}: {where} gave no answer in time.") from error
        except self._httpx.HTTPError as error:
            code, cause = connection_cause(str(error))
            raise FlowerFailure(
                code, f"Cannot {action}: cannot reach {where}: {cause}.", {"unreachable": True}
            ) from error
        except (ValueError, KeyError) as error:
            raise FlowerFailure("protocol", f"Cannot {action}: {where} gave an unreadable answer ({error}).") from error
        except SystemExit as error:
            # Flower ends the process when the versions do not fit.
            raise FlowerFailure(
                "flwr_version", f"Cannot {action}: {where} does not accept flwr {self.version} of this interpreter."
            ) from error

    def _refused(self, where: str, action: str, response: Any) -> None:
        told = self._errors.FlowerError.from_json(response.text)
        if told is None:
            raise FlowerFailure(
                "http",
                f"Cannot {action}: {where} answered HTTP {response.status_code}. The Control API must be dialled on "
                "the SuperLink's own port, not through the proxy that serves the nodes.",
                {"status": response.status_code},
            )
        extra = f" {told.public_details}" if told.public_details else ""
        code = "run_not_found" if told.code == RUN_NOT_FOUND else "api"
        raise FlowerFailure(
            code,
            f"Cannot {action}: {where} says: {told.message}{extra} (code {told.code})",
            {"api_code": told.code, "status": response.status_code},
        )


def _node(info: Any) -> Node:
    from ansible_collections.fact8ra.flower.plugins.module_utils._flower.keys import pem_fingerprint

    # flwr.common.constant.HEARTBEAT_PATIENCE: a node stays online for two intervals after a heartbeat.
    heartbeat = info.online_until - 2 * info.heartbeat_interval if info.online_until else 0.0
    from_epoch = datetime.fromtimestamp(heartbeat).astimezone().isoformat() if heartbeat > 0 else ""
    return Node(
        node_id=str(info.node_id),
        name=info.name,
        status=info.status,
        location=info.location,
        registered_at=info.registered_at,
        online_since=info.last_activated_at if info.status == "online" else "",
        offline_since=info.last_deactivated_at if info.status == "offline" else "",
        unregistered_at=info.unregistered_at,
        last_heartbeat=from_epoch,
        public_key=info.public_key,
        fingerprint=pem_fingerprint(info.public_key),
    )


def _run(run: Any, now: str) -> Run:
    serde = flwr("flwr.common.serde")
    return Run(
        run_id=str(run.run_id),
        status=":".join(part for part in (run.status.status, run.status.sub_status) if part),
        details=run.status.details,
        app=run.fab_id,
        app_version=run.fab_version,
        fab_hash=run.fab_hash,
        config=dict(serde.user_config_from_proto(run.override_config)),
        pending_at=run.pending_at,
        starting_at=run.starting_at,
        running_at=run.running_at,
        finished_at=run.finished_at,
        now=now,
        bytes_sent=run.bytes_sent,
        bytes_received=run.bytes_recv,
        client_seconds=round(run.clientapp_runtime, 2),
    )
