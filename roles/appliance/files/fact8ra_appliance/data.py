# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The proof of concept's digits: a SuperNode makes its own share, the SuperLink the examples that no node has.

Both come from scikit-learn's data set by the app's own tool and one seed, so that no byte of them travels. The shares
of the same number of nodes do not overlap; which one is this node's is found out once, as the order of a role changes
when it is scaled. What is made here is placed by the roles supernode and superlink, in Flower's data directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from .apply import COLLECTION
from .report import State
from .trouble import Trouble

#: Below the root: which share is this node's, and the directory that the roles take it from.
KEPT: Final = "var/lib/fact8ra/data.json"
DIRECTORY: Final = "var/lib/fact8ra/data"
FLOWER_PYTHON: Final = "opt/flower/venv/bin/python"
#: Of the deal, the same on every VM; the seed of the training is another one.
SEED: Final = 7
_ALPHA: Final = 0.7
_MINIMUM: Final = 50
#: Examples that are dealt out: 1,797 less the fifth that is held out.
_DEALT: Final = 1438
MOST_NODES: Final = 200
#: Seconds for OneFlow to know all VMs of a role that it is just making.
_PATIENCE: Final = 20.0
_VARIABLE: Final = "ONEAPP_FLOWER_NODE_CONFIG"


class Node(Protocol):
    """A VM of a service, as onegate.Node is."""

    @property
    def vm_id(self) -> int:
        """Id of the VM."""

    @property
    def index(self) -> int:
        """Position in its role, from 0."""


class Service(Protocol):
    """A service, as onegate.Service is."""

    @property
    def roles(self) -> Mapping[str, Sequence[Node]]:
        """Name of a role -> its VMs."""


@dataclass(frozen=True)
class Share:
    """Which share of how many, and who said so: the context or OneGate."""

    index: int
    number: int
    by: str


Tool = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]


def superlink(root: Path = Path("/"), tool: Tool | None = None) -> dict[str, str]:
    """Make the examples held out, once; returns the role variables that place them.

    Raises:
        Trouble: they cannot be made.
    """
    directory = root / DIRECTORY
    target = directory / "digits-test.npz"
    if not target.is_file():
        _deal(Share(0, 2, ""), "server/digits-test.npz", target, root, tool, "ONEAPP_FLOWER_RUN_APP")
    return {"superlink_data_src": str(directory)}


def supernode(
    config: Mapping[str, Any],
    ask: Callable[[], Service] | None,
    vm_id: int,
    root: Path = Path("/"),
    tool: Tool | None = None,
) -> dict[str, str]:
    """Make this node's share, once; returns the role variables that place it.

    Args:
        config: what ONEAPP_FLOWER_NODE_CONFIG gave.
        ask: gives the service of this VM; its errors pass. None where the VM has no OneGate.
        vm_id: id of this VM.
        root: of the system.
        tool: runs a command.

    Raises:
        Trouble: the share is unknown, or cannot be made.
    """
    directory = root / DIRECTORY
    target = directory / "digits.npz"
    given = from_context(config)
    kept = _kept(root)
    if given or not kept:
        share = given or from_onegate(ask, vm_id)
    else:
        share = kept[0]
    if not kept or kept[0] != share or not target.is_file() or _digest(target) != kept[1]:
        _deal(share, f"nodes/{_name(share.index)}/digits.npz", target, root, tool, "ONEAPP_FLOWER_DATA")
        _write(root / KEPT, json.dumps({**asdict(share), "seed": SEED, "sha256": _digest(target)}).encode() + b"\n")
    return {"supernode_data_src": str(directory)}


def from_context(config: Mapping[str, Any]) -> Share | None:
    """The share that the context names by partition-id and num-partitions, None when it names none.

    Raises:
        Trouble: CONTEXT_INVALID.
    """
    index, number = config.get("partition-id"), config.get("num-partitions")
    if index is None and number is None:
        return None
    if (
        not isinstance(index, int)
        or not isinstance(number, int)
        or isinstance(index, bool)
        or isinstance(number, bool)
        or not 0 <= index < number <= MOST_NODES
    ):
        raise Trouble(
            State.CONTEXT_INVALID,
            f"{_VARIABLE} has partition-id={index} and num-partitions={number}; with ONEAPP_FLOWER_DATA=poc it must "
            f"have both or neither, num-partitions from 1 to {MOST_NODES}, and partition-id from 0 to one less",
            variable=_VARIABLE,
        )
    return Share(index, number, "context")


def from_onegate(
    ask: Callable[[], Service] | None,
    vm_id: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Share:
    """The position of this VM among the VMs of its role.

    OneFlow makes the VMs of a role one after the other, so the first may boot before the last is known: where OneGate
    tells how many there will be, they are waited for a little.

    Raises:
        Trouble: CONTEXT_INVALID, there is no service to look in, or it is too large.
    """
    if ask is None:
        raise Trouble(
            State.CONTEXT_INVALID,
            "ONEAPP_FLOWER_DATA is poc and this VM has no OneGate to learn its position from; say in "
            f"{_VARIABLE} which share it gets, such as partition-id=0 num-partitions=3, or deploy it in a service",
            variable="ONEAPP_FLOWER_DATA",
        )
    deadline = clock() + _PATIENCE
    while True:
        service = ask()
        for role, nodes in service.roles.items():
            mine = next((node for node in nodes if node.vm_id == vm_id), None)
            if mine is None:
                continue
            number = max(len(nodes), int(getattr(service, "cardinalities", {}).get(role, 0)))
            if len(nodes) < number and clock() < deadline:
                break
            if number > MOST_NODES:
                raise Trouble(
                    State.CONTEXT_INVALID,
                    f"ONEAPP_FLOWER_DATA is poc and the role {role} has {number} VMs; the digits are enough for "
                    f"{MOST_NODES}. Set ONEAPP_FLOWER_DATA to none, or scale the role down",
                    variable="ONEAPP_FLOWER_DATA",
                )
            return Share(mine.index, number, "onegate")
        sleep(1.0)


def _deal(share: Share, found: str, target: Path, root: Path, tool: Tool | None, variable: str) -> None:
    """Deal the digits out by the app's own tool and keep one of the files; raises Trouble."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".deal-", dir=target.parent.parent))
    app = COLLECTION / "apps" / "poc"
    command = [
        str(root / FLOWER_PYTHON),
        *("-m", "poctools", "partition", "--out", str(scratch), "--seed", str(SEED)),
        *("--alpha", f"{max(_ALPHA, share.number / 10):g}"),
        *("--minimum", str(max(1, min(_MINIMUM, _DEALT // (4 * share.number))))),
    ]
    for index in range(share.number):
        command += ["--node", _name(index)]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "PYTHONPATH": str(app),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = (tool or _run)(command, environment)
        if done.returncode:
            raise _undealt(done.stderr.strip(), variable)
        _write(target, (scratch / found).read_bytes())
    except OSError as error:
        raise Trouble(State.CONFIGURE_FAILED, f"{target} cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _undealt(said: str, variable: str) -> Trouble:
    if "No module named 'sklearn'" in said:
        return Trouble(
            State.CONTEXT_INVALID,
            f"{variable} is poc, and this image has no scikit-learn, which the digits come from: instantiate the image "
            "flower-supernode-sklearn or -edge (a SuperLink: flower-superlink), or set it to none",
            variable=variable,
        )
    last = said.splitlines()[-1] if said else "it said nothing"
    return Trouble(State.CONFIGURE_FAILED, f"{variable} is poc, and the digits cannot be dealt out: {last}")


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def _name(index: int) -> str:
    """The tool sorts by name."""
    return f"node-{index:04d}"


def _kept(root: Path) -> tuple[Share, str] | None:
    """What was dealt to this node before, with the file's digest."""
    try:
        kept = json.loads((root / KEPT).read_text(encoding="utf-8"))
        return Share(int(kept["index"]), int(kept["number"]), str(kept["by"])), str(kept["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Trouble(
            State.CONFIGURE_FAILED,
            f"{root / KEPT} cannot be read ({error}), which says what share of the data is this node's. Name it in "
            f"{_VARIABLE} (partition-id, num-partitions) and move that file away",
        ) from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file that root alone reads, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
