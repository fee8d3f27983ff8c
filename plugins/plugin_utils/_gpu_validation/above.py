# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers from the guest up: driver, Flower, and the round. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .below import asking
from .row import (
    FAILED,
    NVIDIA,
    OK,
    UNCHECKED,
    WARNING,
    Row,
    count,
    fits,
    integer,
    listed,
    mapping,
    mappings,
    problems,
    row,
    values,
)

_NODES_PLAY = "run playbooks/site.yml with --tags gpu,install,supernodes"
_CPU = "cpu"
_RAISED = re.compile(r"<class '[^']*'>:<'(.*)'>", re.DOTALL)
_MATRIX = "matrix product"


def expected(data: Mapping[str, Any]) -> dict[str, int]:
    """How many GPUs each SuperNode should have: what its VM has, what was said by hand, or what its site insists on."""
    sites = asking(data)
    found = {}
    for name, told in sorted(mapping(data.get("nodes")).items()):
        node = mapping(told)
        own = [device for device in mappings(node.get("pci")) if device.get("vendor") and fits(device, NVIDIA)]
        site = sites.get(str(node.get("site")), {})
        asked = integer(site.get("gpus")) if site.get("required", True) and node.get("pci") is None else 0
        found[name] = max(len(own), integer(node.get("gpus")), asked)
    return found


def guests(data: Mapping[str, Any]) -> list[Row]:
    """Judge what role nvidia_guest published on each SuperNode that has GPUs."""
    wanted = {name: number for name, number in expected(data).items() if number}
    if not wanted:
        return [row("guest", "-", "driver", UNCHECKED, "no SuperNode has a GPU")]
    nodes = mapping(data.get("nodes"))
    return [each for name, number in wanted.items() for each in _guest(name, mapping(nodes[name]), number)]


def _guest(name: str, node: Mapping[str, Any], wanted: int) -> list[Row]:
    facts = mapping(node.get("guest"))
    error = node.get("guest_error")
    if not facts:
        cure = f"see that the VM answers; {_NODES_PLAY} installs the driver"
        return [row("guest", name, "driver", FAILED, error or "it did not answer", cure)]
    gpus = mappings(facts.get("gpus"))
    rows = []
    if facts.get("driver"):
        version = f"driver {facts['driver']}, CUDA {facts.get('cuda') or 'unknown'}"
        rows.append(row("guest", name, "driver", OK, version))
    if len(gpus) == wanted:
        rows.append(row("guest", name, "devices", OK, listed(gpu.get("name") for gpu in gpus)))
    rows += problems("guest", name, facts.get("problems"))
    broken = any(each["result"] == FAILED for each in rows)
    if len(gpus) != wanted and not broken:
        cure = f"{_NODES_PLAY}; dmesg in the VM says why the driver left a device"
        rows.append(
            row("guest", name, "devices", FAILED, f"the driver sees {len(gpus)} of {count(wanted, 'GPU')}", cure)
        )
    matrix = mapping(facts.get("matrix"))
    if matrix.get("ok"):
        found = f"{matrix.get('framework')} on {matrix.get('device')}, {_seconds(matrix.get('seconds'))}"
        return [*rows, row("guest", name, _MATRIX, OK, found)]
    if any(each["result"] == FAILED for each in rows):
        return rows
    cure = "nvidia_guest_frameworks says which framework to install, and the round below is the proof"
    found = error or ("it did not succeed" if matrix else "no framework was asked")
    return [*rows, row("guest", name, _MATRIX, FAILED if error or matrix else UNCHECKED, found, cure)]


def flower(data: Mapping[str, Any]) -> list[Row]:
    """Judge whether every SuperNode is online, tells apps of its GPUs and lets them open the devices."""
    nodes = {name: mapping(node) for name, node in mapping(data.get("nodes")).items()}
    if not nodes:
        found = "the inventory has no SuperNode"
        return [row("flower", "-", "SuperNodes", FAILED, found, "run playbooks/site.yml")]
    wanted = expected(data)
    rows = []
    error = data.get("flower_error")
    if error:
        rows.append(row("flower", "-", "SuperLink", FAILED, error, "run playbooks/verify.yml, which says why"))
    for name, node in sorted(nodes.items()):
        if not error:
            status = node.get("status") or "not registered"
            cure = "" if status == "online" else "run playbooks/verify.yml, which says why"
            rows.append(row("flower", name, "SuperNode", FAILED if cure else OK, status, cure))
        if wanted[name]:
            rows += _node(name, node, wanted[name])
    return rows


def _node(name: str, node: Mapping[str, Any], wanted: int) -> list[Row]:
    if node.get("config") is None:
        found = node.get("unit_error") or "the host did not answer"
        return [row("flower", name, "node-config", UNCHECKED, found, "see that the VM answers")]
    config = mapping(node["config"])
    told = integer(config.get("gpu-count"))
    found = f"gpu-count {told}" + (f", {config['gpu-name']}" if config.get("gpu-name") else "")
    for_apps = integer(node.get("apps")) or wanted
    rows = [
        row("flower", name, "node-config", OK, found)
        if told == for_apps
        else row("flower", name, "node-config", FAILED, f"{found}; it has {count(for_apps, 'GPU')}", _NODES_PLAY)
    ]
    devices = values(node.get("devices"))
    own = [each for each in devices if "nvidia" in each]
    if own:
        return [*rows, row("flower", name, "apps' devices", OK, listed(own))]
    found = "the unit of the apps lets them open no NVIDIA device"
    return [*rows, row("flower", name, "apps' devices", FAILED, found, f"supernode_devices; {_NODES_PLAY}")]


def trained(data: Mapping[str, Any]) -> list[Row]:
    """Judge one round of apps/gpu_round: who trained on what, and whether the loss fell."""
    told = mapping(data.get("round"))
    if told.get("skipped"):
        return [row("round", "-", "training", UNCHECKED, told["skipped"])]
    run = mapping(told.get("run"))
    final, rounds = mapping(run.get("final")), mappings(run.get("rounds"))
    error = told.get("error") or run.get("cause")
    rows = []
    wanted = expected(data)
    last = mapping(rounds[-1]) if rounds else {}
    training = mapping(last.get("training"))
    for name, device in sorted(mapping(last.get("devices")).items()):
        rows.append(_device(name, str(device), mapping(training.get(name)), wanted.get(name, 0)))
    refused = {str(each.get("name") or each.get("node_id")): each for each in mappings(run.get("reply_errors"))}
    rows += [
        row("round", name, "training", FAILED, _reason(each.get("reason")), "the layers above say where it breaks")
        for name, each in sorted(refused.items())
    ]
    if error and not refused:
        rows.append(row("round", "-", "training", FAILED, error, "run playbooks/verify.yml; the run's log has more"))
    if isinstance(final.get("initial_loss"), int | float) and isinstance(final.get("loss"), int | float):
        fell = final["loss"] < final["initial_loss"]
        found = f"{final['initial_loss']:.3f} -> {final['loss']:.3f}"
        cure = "" if fell else "the devices compute, but wrong: look at ECC and Xid errors of the guest"
        rows.append(row("round", "-", "loss", OK if fell else FAILED, found, cure))
    if not rows:
        rows.append(row("round", "-", "training", FAILED, "the run left no metrics", "read the run's log"))
    return rows


def _device(name: str, device: str, training: Mapping[str, Any], wanted: int) -> Row:
    products = training.get("product_seconds")
    times = [each for each in products if isinstance(each, int | float)] if isinstance(products, list) else []
    best = min(times, default=None)
    found = f"{training.get('framework')} on {device}" + (f", product {_seconds(best)}" if best is not None else "")
    places = [place.lower() for place in values(training.get("places"))]
    on_gpu = device != _CPU and places and not any(place.startswith(_CPU) for place in places)
    if wanted and not on_gpu:
        return row("round", name, "device", FAILED, found, f"its node-config promises no GPU: {_NODES_PLAY}")
    return row("round", name, "device", OK, found)


def _reason(told: object) -> str:
    """What a ClientApp raised, without the class that Flower writes before it."""
    found = _RAISED.fullmatch(str(told))
    return found[1] if found else str(told)


def _seconds(value: object) -> str:
    if not isinstance(value, int | float):
        return "no time"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def federation(data: Mapping[str, Any]) -> list[Row]:
    """A row where nothing of the federation has or asks for a GPU: all is well, but nothing was proven."""
    if asking(data) or any(expected(data).values()):
        return []
    allowed = bool(data.get("allow_cpu"))
    cure = "site_supernode_gpus: 1 at a site, see docs/gpu.md; to try this on CPUs, -e gpu_validate_allow_cpu=true"
    found = "no site asks for a GPU and no SuperNode has one"
    return [row("federation", "-", "GPUs", WARNING if allowed else FAILED, found, cure)]
