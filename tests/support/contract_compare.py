# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Comparing an answer with the recorded one, as tests/contract/README.md says.

Compared are success flag, error code and error text; of XML and JSON element paths, order, types and every value that
is not an id, a time, a MAC, an IP or host that the scheduler chose, or a password hash. Those are held to their form.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree

#: Values that are not compared beside those that the README names, and why; paths and form are compared as everywhere.
OUT_OF_SCOPE: Final = {
    "HOST/MONITORING": "numbers that the recorded dummy driver drew at random: load of CPUs, memory and network",
    "VM/DEPLOY_ID, HISTORY/HOSTNAME": "which of two equal hosts the scheduler chose; the rest is compared",
}
_MONITORING: Final = "HOST/MONITORING"

_INTEGER: Final = re.compile(r"-?\d+")
_TIMES: Final = (
    "REGTIME", "MODTIME", "STIME", "ETIME", "PSTIME", "PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME", "TIMESTAMP",
    "registration_time", "start_time", "timestamp",
)  # fmt: skip
_IDS: Final = ("ID", "UID", "GID", "OID", "HID", "VMID", "CREATED_BY", "VNET", "deploy_id", "id", "reserve_from")
_TEXT_IDS: Final = ("DEPLOY_ID",)
_MAC: Final = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAMP: Final = re.compile(r"^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: ")
#: The name of an interface holds the id of its VM.
_TARGET: Final = re.compile(r"(?<=^one-)\d+(?=-\d+$)")
_HOST: Final = re.compile(r"dummyhost[01]")


@dataclass
class Answer:
    """What a server answered: of XML-RPC ``ok``, ``result``, ``errno``; of REST ``status``, ``content_type``, ``text``;
    of an observation ``states``."""

    ok: bool | None = None
    result: Any = None
    errno: int | None = None
    status: int | None = None
    content_type: str | None = None
    text: str | None = None
    states: list[Any] = field(default_factory=list)


def _same_integers(recorded: str, own: str) -> bool:
    """Ids and times: both numbers or both the same; -1 and a time of 0 say "none" and must be so on both sides."""
    if not _INTEGER.fullmatch(recorded) or not _INTEGER.fullmatch(own):
        return recorded == own
    return (recorded == "-1") == (own == "-1")


def _same_times(recorded: str, own: str) -> bool:
    return _same_integers(recorded, own) and (recorded == "0") == (own == "0")


def _both_match(pattern: re.Pattern[str]) -> Callable[[str, str], bool]:
    return lambda recorded, own: bool(recorded == own or (pattern.fullmatch(recorded) and pattern.fullmatch(own)))


def _both_addresses(recorded: str, own: str) -> bool:
    if recorded == own:
        return True
    try:
        return ipaddress.ip_address(recorded).version == ipaddress.ip_address(own).version
    except ValueError:
        return False


def _allocation(text: str) -> list[tuple[int, int]] | str:
    """Raw leases: index and kind of the holder, without its id; what is no list of numbers stays text."""
    if not re.fullmatch(r"( \d+ \d+)+", text):
        return text
    numbers = [int(part) for part in text.split()]
    return [(numbers[at], numbers[at + 1] & ~0xFFFFFFFF) for at in range(0, len(numbers), 2)]


def _rule(path: str) -> Callable[[str, str], bool]:
    """How two values of a path are compared."""
    name = path.rsplit("/", 1)[-1]
    same: Callable[[str, str], bool] = lambda recorded, own: recorded == own  # noqa: E731
    if f"/{_MONITORING}/" in f"/{path}/":
        return _same_integers
    if name in _TIMES:
        return _same_times
    if name in ("PASSWORD", "TOKEN_PASSWORD"):
        return _both_match(_HASH)
    if name == "UUID":
        return _both_match(_UUID)
    if name in ("MAC", "MAC_END", "ETH0_MAC"):
        return _both_match(_MAC)
    if name == "ETH0_IP" or path.endswith("NIC/IP"):
        return _both_addresses
    if path.endswith("NIC/TARGET"):
        return lambda recorded, own: _TARGET.sub("", recorded) == _TARGET.sub("", own)
    if name == "ALLOCATED":
        return lambda recorded, own: _allocation(recorded) == _allocation(own)
    if name == "SCHED_MESSAGE":
        return lambda recorded, own: bool(_STAMP.match(own)) and _STAMP.sub("", recorded) == _STAMP.sub("", own)
    if name in ("HOSTNAME", "DEPLOY_ID") and "/VM/" in f"/{path}":
        return lambda recorded, own: _HOST.sub("host", recorded) == _HOST.sub("host", own)
    if name in _IDS or (name.lower().endswith("_id") and name not in _TEXT_IDS):
        return _same_integers
    return same


def _keyed(children: list[ElementTree.Element]) -> dict[str, ElementTree.Element] | None:
    """Elements by NAME where each has its own."""
    names = [child.findtext("NAME") for child in children]
    if None in names or len(set(names)) != len(names):
        return None
    return {str(name): child for name, child in zip(names, children, strict=True)}


def _xml_differences(recorded: ElementTree.Element, own: ElementTree.Element, path: str) -> Iterator[str]:
    if recorded.tag != own.tag:
        yield f"{path}: element {own.tag}, recorded {recorded.tag}"
        return
    if not len(recorded) and not len(own):
        text, own_text = recorded.text or "", own.text or ""
        if not _rule(path)(text, own_text):
            yield f"{path}: {own_text!r}, recorded {text!r}"
        return
    if [child.tag for child in recorded] != [child.tag for child in own]:
        yield f"{path}: elements {[child.tag for child in own]}, recorded {[child.tag for child in recorded]}"
        return
    before_by_name, after_by_name = None, None
    if path.endswith("_POOL") and len(recorded) > 1:
        # VMs of several services get their ids in the order in which the scheduler and OneFlow reach them.
        before_by_name, after_by_name = _keyed(list(recorded)), _keyed(list(own))
        numbers = [int(child.findtext("ID") or -1) for child in own if child.find("ID") is not None]
        descending = sorted(numbers, reverse=True)
        if path != "ACL_POOL" and numbers != descending:
            yield f"{path}: ids {numbers} are not in descending order"
    if before_by_name is not None and after_by_name is not None:
        if set(before_by_name) != set(after_by_name):
            yield f"{path}: {sorted(after_by_name)}, recorded {sorted(before_by_name)}"
            return
        pairs = [(before_by_name[name], after_by_name[name]) for name in before_by_name]
    else:
        pairs = list(zip(recorded, own, strict=True))
    for before, after in pairs:
        yield from _xml_differences(before, after, f"{path}/{before.tag}")


def _json_differences(recorded: Any, own: Any, path: str) -> Iterator[str]:
    if type(recorded) is not type(own):
        yield f"{path}: {own!r} ({type(own).__name__}), recorded {recorded!r} ({type(recorded).__name__})"
    elif isinstance(recorded, dict):
        if set(recorded) != set(own):
            missing, extra = sorted(set(recorded) - set(own)), sorted(set(own) - set(recorded))
            yield f"{path}: missing keys {missing}, unknown keys {extra}"
            return
        for key, value in recorded.items():
            yield from _json_differences(value, own[key], f"{path}/{key}")
    elif isinstance(recorded, list):
        if len(recorded) != len(own):
            yield f"{path}: {len(own)} items, recorded {len(recorded)}"
            return
        for before, after in zip(recorded, own, strict=True):
            yield from _json_differences(before, after, path)
    elif not _rule(path)(str(recorded), str(own)):
        yield f"{path}: {own!r}, recorded {recorded!r}"


def _text_differences(name: str, recorded: str | None, own: str | None) -> Iterator[str]:
    if recorded != own:
        yield f"{name}: {own!r}, recorded {recorded!r}"


def _rpc_differences(step: dict[str, Any], answer: Answer) -> Iterator[str]:
    if answer.ok != step["ok"]:
        yield f"success {answer.ok} ({answer.result!r}), recorded {step['ok']}"
        return
    if not step["ok"]:
        if answer.errno != step["errno"]:
            yield f"errno {answer.errno}, recorded {step['errno']}"
        yield from _text_differences("error text", step["result"], answer.result)
        return
    recorded, own = step["result"], answer.result
    if isinstance(recorded, str) and recorded.startswith("<"):
        if not isinstance(own, str) or not own.startswith("<"):
            yield f"result {own!r}, recorded XML"
            return
        before, after = ElementTree.fromstring(recorded), ElementTree.fromstring(own)
        yield from _xml_differences(before, after, before.tag)
    elif type(recorded) is not type(own) or (isinstance(recorded, str) and recorded != own):
        yield f"result {own!r}, recorded {recorded!r}"


def _rest_differences(step: dict[str, Any], answer: Answer) -> Iterator[str]:
    if answer.status != step["status"]:
        yield f"status {answer.status} ({answer.text!r}), recorded {step['status']}"
        return
    yield from _text_differences("content type", step["content_type"], answer.content_type)
    if step["json"] is None:
        yield from _text_differences("body", step["text"], answer.text)
        return
    try:
        own = json.loads(answer.text or "")
    except ValueError:
        yield f"body {answer.text!r}, recorded JSON"
        return
    yield from _json_differences(step["json"], own, "")


def _in_order(states: list[Any], recorded: list[Any]) -> bool:
    rest = iter(recorded)
    return all(any(state == known for known in rest) for state in states)


def _observed_differences(step: dict[str, Any], answer: Answer) -> Iterator[str]:
    """What was seen must be a part of the recorded sequence, in its order, and end where it ends."""
    if not answer.states or answer.states[-1] != step["states"][-1]:
        yield f"states {answer.states}, recorded {step['states']}: the end is another"
    elif not _in_order(answer.states, step["states"]):
        yield f"states {answer.states}, recorded {step['states']}: not in this order"


def differences(step: dict[str, Any], answer: Answer) -> list[str]:
    """What is not as recorded; empty when the answer keeps the contract."""
    kinds = {"xmlrpc": _rpc_differences, "rest": _rest_differences, "observed": _observed_differences}
    return list(kinds[step["api"]](step, answer)) if step["api"] in kinds else []
