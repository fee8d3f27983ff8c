# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The stand-in answers the recorded conversation as OpenNebula 7.4.0 did; every step is replayed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from contract_compare import OUT_OF_SCOPE, Answer, differences
from contract_replay import Replay, contract_standin, steps

RECORDED = steps()


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """What the stand-in answered to each step of one replay."""
    with contract_standin() as standin:
        replay = Replay(standin)
        replay.run(RECORDED)
        replay.close()
        yield replay.answers


@pytest.mark.parametrize("step", RECORDED, ids=[step["step"] for step in RECORDED])
def test_step(answers: dict[str, Answer], step: dict[str, object]) -> None:
    assert differences(step, answers[str(step["step"])]) == []


def test_every_step_is_replayed(answers: dict[str, Answer]) -> None:
    assert len({step["step"] for step in RECORDED}) == len(RECORDED) == 206
    assert list(answers) == [step["step"] for step in RECORDED]


def test_hardly_anything_is_out_of_scope() -> None:
    assert len(OUT_OF_SCOPE) <= 2


# The comparison itself must be able to fail: doctored steps against the same answers.

Step = dict[str, Any]


def _step(name: str) -> Step:
    return copy.deepcopy(next(step for step in RECORDED if step["step"] == name))


def _replace(name: str, old: str, new: str) -> Step:
    step = _step(name)
    assert step["result"].count(old) >= 1
    step["result"] = step["result"].replace(old, new, 1)
    return step


def _with(name: str, **values: Any) -> Step:
    return _step(name) | values


def _with_json(name: str, change: Callable[[Any], None]) -> Step:
    step = _step(name)
    change(step["json"]["DOCUMENT"]["TEMPLATE"]["BODY"])
    return step


DOCTORED = {
    "changed value": _replace("vnet info", "10.9.1.59", "10.9.1.60"),
    "changed value in a pool": _replace("vm pool of the service", "<VCPU><![CDATA[1]]>", "<VCPU><![CDATA[2]]>"),
    "missing element": _replace("vm info", "<RESCHED>0</RESCHED>", ""),
    "additional element": _replace("vm info", "<RESCHED>0</RESCHED>", "<RESCHED>0</RESCHED><NEW>1</NEW>"),
    "other order": _replace(
        "image info", "<TYPE>0</TYPE><DISK_TYPE>0</DISK_TYPE>", "<DISK_TYPE>0</DISK_TYPE><TYPE>0</TYPE>"
    ),
    "id that is no number": _replace("vm info", "<UID>0</UID>", "<UID>oneadmin</UID>"),
    "no parent instead of one": _replace("vm info", "<PLAN_ID>-1</PLAN_ID>", "<PLAN_ID>7</PLAN_ID>"),
    "end that is not there yet": _replace("vm info", "<ETIME>0</ETIME>", "<ETIME>1795492167</ETIME>"),
    "hash that is none": _replace("whoami", "<PASSWORD><![CDATA[b065", "<PASSWORD><![CDATA[plain"),
    "other holder of a lease": _replace("vnet pool all", "0 274877906948", "0 68719476740"),
    "monitoring that is no number": _replace("gpu: host info with PCI devices", "<![CDATA[483]]>", "<![CDATA[many]]>"),
    "other host name": _replace("vm info", "<HOSTNAME>dummyhost1<", "<HOSTNAME>elsewhere<"),
    "vanished object of a pool": _replace("image pool", "<NAME>img0</NAME>", "<NAME>img9</NAME>"),
    "changed error text": _with("vnet info missing", result="[one.vn.info] Error getting network [4242]."),
    "changed error code": _with("vnet info missing", errno=2048),
    "success instead of failure": _with("vnet info missing", ok=True, result="<VNET/>"),
    "failure instead of success": _with("vnet chmod", ok=False, errno=512),
    "text instead of a number": _with("vnet chmod", result="1"),
    "changed status": _with("flow service get missing", status=500),
    "changed body": _with("flow service get missing", text="gone"),
    "changed content type": _with("flow service get", content_type="application/json"),
    "empty content type": _with("flow scale up", content_type="text/html"),
    "changed JSON value": _with_json("flow service get", lambda body: body.update(deployment="none")),
    "changed JSON type": _with_json("flow service get", lambda body: body["roles"][0].update(cardinality="1")),
    "number instead of a truth": _with_json("flow service get", lambda body: body.update(ready_status_gate=0)),
    "missing JSON key": _with_json("flow service get", lambda body: body.pop("start_time")),
    "additional JSON key": _with_json("flow service get", lambda body: body.update(surprise=1)),
    "other log": _with_json("flow service get", lambda body: body["log"][1].update(message="New state: HOLD")),
    "shorter log": _with_json("flow service get", lambda body: body["log"].pop()),
    "null instead of an id": _with_json(
        "flow service get", lambda body: body.update(networks_values=[{"Private": {"id": None}}])
    ),
    "reordered states": _with("service states scale up", states=[10, 8, 2]),
    "other end": _with("service states to running", states=[11, 1, 7]),
}


@pytest.mark.parametrize("step", DOCTORED.values(), ids=DOCTORED.keys())
def test_doctored_recording_is_reported(answers: dict[str, Answer], step: Step) -> None:
    assert differences(step, answers[step["step"]])


def _leaf_paths(element: ElementTree.Element, path: str = "") -> Iterator[tuple[str, ElementTree.Element]]:
    path = f"{path}/{element.tag}"
    if not len(element):
        yield path, element
    for child in element:
        yield from _leaf_paths(child, path)


def test_every_changed_value_and_every_missing_element_is_reported(answers: dict[str, Answer]) -> None:
    """The first element of each path anywhere in the recording, once with another text and once removed."""
    seen: set[str] = set()
    for step in RECORDED:
        if step["api"] != "xmlrpc" or not str(step["result"]).startswith("<"):
            continue
        paths = [path for path, _unused in _leaf_paths(ElementTree.fromstring(str(step["result"])))]
        for path in dict.fromkeys(paths):
            if path in seen:
                continue
            seen.add(path)
            for doctor in (_change, _remove):
                tree = ElementTree.fromstring(str(step["result"]))
                if not doctor(tree, path):
                    continue
                doctored = step | {"result": ElementTree.tostring(tree, encoding="unicode")}
                assert differences(doctored, answers[str(step["step"])]), f"{doctor.__name__} {path} in {step['step']}"
    assert len(seen) > 400


def _change(tree: ElementTree.Element, path: str) -> bool:
    element = next(found for where, found in _leaf_paths(tree) if where == path)
    element.text = "doctored" + (element.text or "")
    return True


def _remove(tree: ElementTree.Element, path: str) -> bool:
    element = next(found for where, found in _leaf_paths(tree) if where == path)
    for parent in tree.iter():
        if element in list(parent):
            parent.remove(element)
            return True
    return False
