# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module gpu_host_facts. What it reads is tested in tests/unit/gpu."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import sysfs
import yaml
from module_runner import ModuleFailed, run_module

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import judge_card, judge_host
from ansible_collections.fact8ra.flower.plugins.modules import gpu_host_facts

COLLECTIONS = Path(__file__).parents[4] / ".collections"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the module on the machine with a name."""

    def on(name: str, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        root = tmp_path / name
        if not root.exists():
            sysfs.build(sysfs.load(name), root)
        monkeypatch.setattr(gpu_host_facts, "ROOT", root)
        return run_module(gpu_host_facts, options, check=check, diff=diff)

    return on


def test_it_returns_facts_and_changes_nothing(run: Any, tmp_path: Path) -> None:
    result = run("a100_nvlink")
    assert not result["changed"]
    facts = result["ansible_facts"]["fact8ra_gpu_host"]
    assert [card["address"] for card in facts["gpus"]] == ["0000:07:00.0", "0000:0f:00.0"]
    assert facts["viable"]

    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert run("a100_nvlink", check=True, diff=True) == result
    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_it_documents_what_it_returns(run: Any) -> None:
    facts = run("consumer_card")["ansible_facts"]["fact8ra_gpu_host"]
    told = yaml.safe_load(gpu_host_facts.RETURN)["ansible_facts"]["contains"]["fact8ra_gpu_host"]["contains"]
    assert facts.keys() == told.keys()
    assert facts["gpus"][0].keys() == told["gpus"]["contains"].keys()


def test_it_documents_the_codes_of_its_problems() -> None:
    told = yaml.safe_load(gpu_host_facts.RETURN)["ansible_facts"]["contains"]["fact8ra_gpu_host"]["contains"]
    for module, documented in ((judge_host, told["problems"]), (judge_card, told["gpus"]["contains"]["problems"])):
        said = re.findall(r"V\((\w+)\)", documented["description"][-1])
        assert sorted(said) == sorted(re.findall(r'problem\(\s*"(\w+)"', inspect.getsource(module)))


def test_hypervisors_with_python_3_9_can_run_it() -> None:
    """RHEL 9 and its family have no newer one as their own."""
    package = "ansible_collections.fact8ra.flower.plugins.module_utils"
    sources, waiting = set[Path](), {Path(inspect.getfile(gpu_host_facts))}
    while waiting:
        source = waiting.pop()
        sources.add(source)
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                places = [Path(str(name).replace(".", "/")).with_suffix(".py") for name in names]
                waiting |= {COLLECTIONS / place for place in places if (COLLECTIONS / place).is_file()} - sources
    assert len(sources) > 15
    for source in sources:
        tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 9))
        newer = {"pairwise", "slots", "kw_only", "strict", "UTC", "StrEnum", "Self", "TypeAlias"}
        used = {getattr(node, "arg", None) for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not used & newer, (source, used & newer)


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        ([{"vendor": "1af4"}, {"vendor": "10DE", "device": "20B0", "class": "0302"}], ["0000:07:00.0", "0000:0f:00.0"]),
        ([{"address": "0f:00.0"}], ["0000:0f:00.0"]),
        ([{"address": "0000:0f:00.0", "device": ""}], ["0000:0f:00.0"]),
        ([{"vendor": "10de", "class": "0680"}], ["0000:c4:00.0", "0000:c5:00.0"]),
        # never a bridge
        ([{"vendor": "1022"}], []),
    ],
)
def test_devices_are_selected(run: Any, devices: list[dict[str, str]], found: list[str]) -> None:
    facts = run("a100_nvlink", devices=devices)["ansible_facts"]["fact8ra_gpu_host"]
    assert [card["address"] for card in facts["gpus"]] == found
    assert [one["code"] for one in facts["problems"]] == ([] if found else ["no_gpu"])
    assert facts["viable"] == bool(found)


@pytest.mark.parametrize(
    ("devices", "option", "value", "right"),
    [
        ([{"vendor": "10de"}, {"vendor": "nvidia"}], "devices[1].vendor", "nvidia", "four hexadecimal digits"),
        ([{"vendor": 10}], "devices[0].vendor", "10", "quoted"),
        ([{"device": "0x20b0"}], "devices[0].device", "0x20b0", "four hexadecimal digits"),
        ([{"class": 3}], "devices[0].class", "3", "two, four or six hexadecimal digits"),
        ([{"class": "030"}], "devices[0].class", "030", "two, four or six hexadecimal digits"),
        ([{"address": "0000:41:20.0"}], "devices[0].address", "0000:41:20.0", "as lspci prints it"),
        ([{"address": "41:00.8"}], "devices[0].address", "41:00.8", "as lspci prints it"),
        (
            [{"vendor": " ", "device": ""}],
            "devices[0]",
            {"vendor": " ", "device": ""},
            "at least one of vendor, device",
        ),
        ([{}], "devices[0]", {}, "would mean every PCI device"),
        ([], "devices", [], "at least one kind of device"),
    ],
)
def test_bad_devices_are_refused(run: Any, devices: Any, option: str, value: Any, right: str) -> None:
    with pytest.raises(ModuleFailed) as failed:
        run("a100_nvlink", devices=devices)
    result = failed.value.result
    assert result["failure"]["code"] == "invalid_input"
    assert result["failure"]["details"] == {"option": option, "value": value}
    assert f"{option} is {value!r}" in result["msg"]
    assert right in result["msg"]
    assert "ansible_facts" not in result
