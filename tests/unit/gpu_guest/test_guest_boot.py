# A stand-in answers for nvidia-smi here: nothing but a card of NVIDIA's and its driver can be split into instances.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What makes GPUs ready at boot, and what the role asks a node: files of role nvidia_guest."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_ROOT = Path(__file__).parents[3]
_FAKE = _ROOT / "extensions" / "molecule" / "nvidia_guest" / "files" / "nvidia_smi.py"


def _load(name: str) -> ModuleType:
    path = _ROOT / "roles" / "nvidia_guest" / "files" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"nvidia_guest_{name.replace('-', '_')}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


boot, look, matrix = _load("fact8ra-nvidia"), _load("look"), _load("matrix")


class _Node:
    """A node with two cards whose state a test sets, and what was called on it."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = place
        self.state = {
            "driver": str(place),
            "cards": 2,
            "processes": "",
            "uncorrected": 0,
            "reset": False,
            "mode": [["Disabled", "Disabled"], ["Disabled", "Disabled"]],
            "instances": [[], []],
        }
        for name, does in {
            "nvidia-smi": f'echo "$*" >> {place}/smi; exec {sys.executable} -I {_FAKE} "$@"',
            "modprobe": f'echo "$*" >> {place}/modprobe',
            "nvidia-modprobe": f'echo "$*" >> {place}/files',
            "nvidia-ctk": f'echo "$*" >> {place}/ctk',
        }.items():
            program = place / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}/bin:/usr/bin:/bin")
        monkeypatch.setenv("FAKE_NVIDIA", str(place / "state.json"))
        monkeypatch.setattr(boot.os, "makedirs", lambda *_words, **_more: None)
        self.drivers, self.kernel = place / "drivers", place / "devices"
        self.kernel.write_text("Character devices:\n  1 mem\n195 nvidia\n\nBlock devices:\n  8 sd\n")
        monkeypatch.setattr(boot, "DRIVERS", str(self.drivers))
        monkeypatch.setattr(boot, "_KERNEL", str(self.kernel))

    def prepare(self, *profiles: str, cdi: bool = False) -> tuple[bool, list[str]]:
        (self.place / "smi").write_text("")
        (self.place / "state.json").write_text(json.dumps(self.state))
        answer: tuple[bool, list[str]] = boot.prepare({"mig_profiles": list(profiles), "cdi": cdi})
        self.state = json.loads((self.place / "state.json").read_text())
        return answer

    def called(self, name: str) -> list[str]:
        return (self.place / name).read_text().splitlines()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Node:
    return _Node(tmp_path, monkeypatch)


def test_driver_and_device_files_without_instances(node: _Node) -> None:
    assert node.prepare(cdi=True) == (False, [])
    assert node.called("modprobe") == ["nvidia", "nvidia-uvm"]
    assert node.called("files") == ["-c=0 -u"]
    assert node.called("ctk") == ["cdi generate --output=/etc/cdi/nvidia.yaml"]
    assert node.called("smi") == ["-L"]


def test_instances_are_made_once(node: _Node) -> None:
    assert node.prepare("3g.40gb", "3g.40gb") == (True, [])
    assert node.state["instances"] == [["3g.40gb", "3g.40gb"], ["3g.40gb", "3g.40gb"]]
    assert node.state["mode"] == [["Enabled", "Enabled"], ["Enabled", "Enabled"]]
    assert node.prepare("3g.40gb", "3g.40gb") == (False, [])
    assert not [line for line in node.called("smi") if "-cgi" in line or "-mig 1" in line or "-dgi" in line]


def test_other_instances_take_the_place_of_those_that_are_there(node: _Node) -> None:
    node.prepare("3g.40gb", "3g.40gb")
    # After a boot the mode is there, the instances are not.
    node.state["instances"] = [["3g.40gb", "3g.40gb"], []]
    assert node.prepare("1g.10gb", "2g.20gb") == (True, [])
    assert node.state["instances"] == [["1g.10gb", "2g.20gb"], ["1g.10gb", "2g.20gb"]]
    assert "mig -dgi -i 0" in node.called("smi")
    assert "mig -dgi -i 1" not in node.called("smi")


def test_a_card_in_use_is_left_alone(node: _Node) -> None:
    node.state["processes"] = "1234, python3"
    changed, failed = node.prepare("7g.80gb")
    assert changed
    assert node.state["instances"] == [[], ["7g.80gb"]]
    assert failed == [
        "GPU 0 is in use by 1234, python3; stop it (systemctl stop flower-superexec-client), then run this again"
    ]


def test_a_mode_that_waits_for_a_reset(node: _Node) -> None:
    node.state["reset"] = True
    changed, failed = node.prepare("7g.80gb")
    assert not changed
    assert [line.endswith("reboot the VM") for line in failed] == [True, True]
    assert not [line for line in node.called("smi") if "-cgi" in line]


def test_a_card_that_cannot_be_split(node: _Node) -> None:
    node.state["mode"] = [["[N/A]", "[N/A]"], ["Disabled", "Disabled"]]
    changed, failed = node.prepare("7g.80gb")
    assert changed
    assert failed == ["GPU 0 cannot be split into MIG instances; leave nvidia_guest_mig_profiles empty"]


def test_a_profile_that_the_card_has_not(node: _Node) -> None:
    _changed, failed = node.prepare("3g.20gb")
    assert "Failed to parse GPU instance profile: 3g.20gb" in failed[0]


def test_without_a_driver_nothing_is_made(node: _Node) -> None:
    node.state["driver"] = "/nowhere"
    changed, failed = node.prepare("7g.80gb")
    assert not changed
    assert "couldn't communicate with the NVIDIA driver" in failed[0]


def test_the_drivers_are_noted_when_the_kernel_gets_others(node: _Node) -> None:
    node.prepare()
    assert node.drivers.read_text() == "195 nvidia\n"
    os.utime(node.drivers, (1, 1))
    node.prepare()
    # Apps are restarted when it is newer than their unit, which another start of the program is no reason for.
    assert node.drivers.stat().st_mtime == 1
    node.kernel.write_text(node.kernel.read_text().replace("195", "511 nvidia-uvm\n195"))
    node.state["driver"] = "/nowhere"
    assert node.prepare()[1]
    assert node.drivers.read_text() == "195 nvidia\n511 nvidia-uvm\n"
    assert node.drivers.stat().st_mtime > 1


# look.py


def _tree(root: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def test_secure_boot_and_the_key_that_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    efi = tmp_path / "efi" / "efivars"
    monkeypatch.setattr(look, "_EFI", str(efi))
    monkeypatch.setattr(look, "_SECURE_BOOT", f"{efi}/SecureBoot-x")
    assert look.secure_boot() is None
    _tree(efi, {"SecureBoot-x": b"\x06\0\0\0\x01"})
    assert look.secure_boot() is True
    _tree(efi, {"SecureBoot-x": b"\x06\0\0\0\0"})
    assert look.secure_boot() is False


def test_cards_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_PCI", str(tmp_path))
    for name, vendor, kind in (
        ("01", "0x10de", "0x030200"),
        ("02", "0x10de", "0x040300"),
        ("03", "0x1234", "0x030000"),
    ):
        parts = {"vendor": vendor.encode(), "device": b"0x20b2\n", "class": kind.encode()}
        _tree(tmp_path / f"0000:{name}:00.0", parts)
    assert look.devices() == [{"address": "0000:01:00.0", "device": "20b2", "class": "0302", "driver": ""}]


def test_the_key_of_a_package_source(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        {
            "a.sources": b"# one\n\nTypes: deb\nURIs: http://a\nSigned-By: /k/a.gpg\n\n"
            b"Types: deb\nURIs: http://b\nSigned-By: /k/b.gpg\n",
            "b.list": b"# x\ndeb [arch=amd64 signed-by=/k/c.gpg] http://c bookworm main\ndeb http://d bookworm main\n",
        },
    )
    assert look.stanza(f"{tmp_path}/a.sources:1") == "/k/a.gpg"
    assert look.stanza(f"{tmp_path}/a.sources:2") == "/k/b.gpg"
    assert look.stanza(f"{tmp_path}/b.list:2") == "/k/c.gpg"
    assert look.stanza(f"{tmp_path}/b.list:3") == ""
    assert look.stanza(f"{tmp_path}/none.list:1") == ""


_INDEX = """main|bookworm|http://m.example/debian/|/etc/apt/sources.list:1|Debian
main|bookworm-security|http://m.example/security/|/etc/apt/sources.list:2|Debian
main|stable|http://other.example/|/etc/apt/sources.list:3|Docker
"""


@pytest.mark.parametrize(
    ("further", "found"),
    [
        ("", ["bookworm", "bookworm-security"]),
        ("contrib|bookworm|http://m.example/debian/|/own:1|Debian\n", ["bookworm", "bookworm-security"]),
        ("".join(f"{name}|bookworm|http://m/|/a:1|Debian\n" for name in look._COMPONENTS), []),
        (
            "".join(f"{name}|bookworm|http://m/|/own:1|Debian\n" for name in look._COMPONENTS),
            ["bookworm", "bookworm-security"],
        ),
    ],
)
def test_mirrors_of_the_node_give_the_rest_of_debian(
    further: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "run", lambda *_words: (0, _INDEX + further, ""))
    assert [one["release"] for one in look.sources("/own")] == found


def test_hosts_of_other_package_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "http://m.example|/a:1\nhttps://n.example:8443|/own:1\nhttp://m.example|/own:2\nfile:|/b:1\n"
    monkeypatch.setattr(look, "run", lambda *_words: (0, rows, ""))
    assert look.hosts("/own") == ["file:", "m.example"]
    assert look.hosts("/none") == ["file:", "m.example", "n.example"]


@pytest.mark.parametrize(
    ("module", "built"),
    [
        ("updates/dkms/nvidia-current.ko", True),
        ("updates/dkms/nvidia-current-open.ko.xz", True),
        ("updates/dkms/nvidia.ko.zst", True),
        ("kernel/nvidia-535/nvidia.ko", True),
        ("updates/dkms/nvidia-fs.ko", False),
        ("kernel/drivers/video/fbdev/nvidia/nvidiafb.ko", False),
    ],
)
def test_modules_of_the_driver(module: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_LIB", str(tmp_path))
    _tree(tmp_path / look.platform.release(), {module: b""})
    assert look.kernel()["built"] is built


@pytest.mark.parametrize(
    ("state", "enabled", "known"),
    [
        ("enabled", True, True),
        ("disabled", False, True),
        ("static", True, True),
        ("indirect", True, True),
        ("generated", True, True),
        ("masked", False, False),
        ("", False, False),
    ],
)
def test_units_that_nobody_can_enable(state: str, enabled: bool, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "run", lambda *_words: (0, f"ActiveState=active\nUnitFileState={state}\n", ""))
    assert look.units(["a"]) == {"a": {"started": True, "enabled": enabled, "known": known}}


def test_installed_versions_count_as_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*command: str) -> tuple[int, str, str]:
        if command[0] == "dpkg-query":
            return 1, "libcuda1 ii  535.1-1\nhalf iF  2\nold rc  1\n", ""
        return 0, "  libcuda1 | 535.2-1 | http://m bookworm/non-free amd64 Packages\n", ""

    monkeypatch.setattr(look, "run", run)
    assert look.packages(["libcuda1", "half", "old"]) == {
        "libcuda1": {"installed": "535.1-1", "known": True, "available": ["535.1-1", "535.2-1"]},
        "half": {"installed": "", "known": True, "available": []},
        "old": {"installed": "", "known": False, "available": []},
    }


def test_a_command_that_is_missing_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look.run("no-such-command")[0] == 127
    monkeypatch.setattr(look, "_PATIENCE", 0.05)
    assert look.run("sleep", "5") == (124, "", "sleep did not end within 0.05 s")


# matrix.py


_APPS = """[Unit]
Description=apps
After=flower-supernode.service
PartOf=flower-supernode.service
[Service]
User=flower-app
RestartSec=3
Environment=CUDA_VISIBLE_DEVICES=0
LoadCredential=superexec.secret:/etc/flower/superexec.secret
ExecStart=/opt/flower/venv/bin/flower-superexec \\
    --runtime-api-address 127.0.0.1:9094 --insecure
OOMPolicy=continue
DevicePolicy=closed
DeviceAllow=char-nvidia* rw
IPAddressDeny=any
[Install]
WantedBy=multi-user.target
"""


def test_the_check_runs_as_the_apps_do() -> None:
    unit, drop_in = matrix.units(_APPS, "torch", 60)
    assert unit.splitlines() == [
        "[Unit]",
        "[Service]",
        "User=flower-app",
        "Environment=CUDA_VISIBLE_DEVICES=0",
        "DevicePolicy=closed",
        "DeviceAllow=char-nvidia* rw",
        "IPAddressDeny=any",
    ]
    assert "Type=oneshot\nRestart=no\n" in drop_in
    assert "ExecStart=/opt/flower/venv/bin/python /run/fact8ra-gpu-check/matrix.py --as-app torch\n" in drop_in


def test_a_framework_that_is_missing_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    answer: dict[str, Any] = matrix.as_app("torch")
    assert not answer["ok"]
    assert answer["problem"].startswith("ModuleNotFoundError")


def test_a_check_without_the_unit_of_the_apps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(matrix, "_APPS", str(tmp_path / "none"))
    assert "run role supernode first" in matrix.check("torch", 60, "")["problem"]
