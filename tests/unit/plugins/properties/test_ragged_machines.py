# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that a kernel's files hold makes the facts of a hypervisor raise: what makes no sense is null and is told."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sysfs
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import host

MACHINES = ("a100_nvlink", "consumer_card", "l40s_sriov", "used_by_vms", "boot_display")

ODD = st.sampled_from(
    [
        b"",
        b"\n",
        b"\0",
        b"-1\n",
        b"0x\n",
        b"0x10de\n0x10de\n",
        b"1e999\n",
        b"[]\n",
        b"\xff\xfe\xff",
        b"9" * 5000,
        b"0x" + b"f" * 400,
        b"'\"",
        b" " * 70,
        "\u0661\n".encode(),
    ]
) | st.binary(max_size=80)


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[int, str, bytes]]:
    """Some damage: which file or link (by number, around the end of the list), what is done to it, and with what."""
    how = st.sampled_from(["write", "write", "write", "remove", "directory", "loop", "astray"])
    return draw(st.lists(st.tuples(st.integers(0, 10_000), how, ODD), min_size=1, max_size=6))


def damage(root: Path, places: list[Path], wounds: list[tuple[int, str, bytes]]) -> None:
    """Do the damage."""
    for number, how, content in wounds:
        path = places[number % len(places)]
        if not (path.is_symlink() or path.is_file()):
            continue  # a wound before made something else of it
        if how == "write" and not path.is_symlink():
            path.write_bytes(content)
            continue
        path.unlink()
        if how == "directory":
            path.mkdir()
        elif how == "loop":
            path.symlink_to(path.name)
        elif how == "astray":
            path.symlink_to(b"../../nowhere/\xff\xfe".decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("name", MACHINES)
@settings(max_examples=25)
@given(damages())
def test_a_damaged_machine_is_read_all_the_same(name: str, wounds: list[tuple[int, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = sysfs.build(sysfs.load(name), Path(directory))
        whole = host.read(root)
        places = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
        damage(root, places, wounds)
        facts = host.read(root)

    assert facts.keys() == whole.keys()
    assert json.loads(json.dumps(facts)) == facts
    json.dumps(facts, ensure_ascii=False).encode()
    for card in facts["gpus"]:
        assert card.keys() == whole["gpus"][0].keys()
        assert card["viable"] == (facts["viable"] and not any(one["kind"] == "blocks" for one in card["problems"]))


@pytest.mark.parametrize(
    ("file", "key", "empty"),
    [
        ("numa_node", "numa_node", None),
        ("subsystem_vendor", "subsystem_vendor", ""),
        ("sriov_numvfs", "sriov", {"capable": True, "total": 16, "enabled": 0}),
        ("sriov_totalvfs", "sriov", {"capable": False, "total": 0, "enabled": 0}),
    ],
)
def test_what_makes_no_sense_is_null_and_told(tmp_path: Path, file: str, key: str, empty: Any) -> None:
    root = sysfs.build(sysfs.load("a100_nvlink"), tmp_path)
    (root / "sys/bus/pci/devices/0000:07:00.0" / file).write_text("odd\n")
    facts = host.read(root)
    assert facts["gpus"][0][key] == empty
    assert [one["code"] for one in facts["problems"]] == ["unreadable"]
    assert f"0000:07:00.0/{file}" in facts["problems"][0]["message"]


@given(st.lists(st.sampled_from(["a=b", '"', "--", " ", '"x y"', "iommu=pt", "\t", "=", "é"]), max_size=8))
@settings(max_examples=60)
def test_any_command_line_is_read(words: list[str]) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        facts = host.read(sysfs.build({"command_line": "".join(words)}, root))
    finally:
        shutil.rmtree(root)
    assert all(isinstance(word, str) and word for word in facts["kernel_parameters"])


def test_an_empty_machine_is_read(tmp_path: Path) -> None:
    facts = host.read(tmp_path)
    assert facts["gpus"] == []
    assert facts["kernel"] == ""
    assert facts["secure_boot"] is False
    assert {one["code"] for one in facts["problems"]} == {"no_gpu", "no_iommu"}
    assert not facts["viable"]
