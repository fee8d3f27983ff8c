# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which driver a card gets: flavour, branch, and one version for all packages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.filter.gpu_guest import FilterModule
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import drivers

FILTERS = FilterModule().filters()
GROUPS = {
    "open": ["nvidia-open-kernel-dkms", "libcuda1", "firmware-nvidia-gsp"],
    "proprietary": ["nvidia-kernel-dkms", "libcuda1", "firmware-nvidia-gsp"],
}
# What Debian 12 had in November 2026: its security archive has no open modules.
NEW, OLD = "535.309.01-0+deb12u1", "535.261.03-1"
BOOKWORM = {
    "nvidia-open-kernel-dkms": [OLD],
    "nvidia-kernel-dkms": [NEW, OLD],
    "libcuda1": [NEW, OLD],
    "firmware-nvidia-gsp": [NEW, OLD],
}


def choose(*devices: str, available: dict[str, list[str]] | None = None, installed: str = "", **more: str) -> Any:
    """What the filter chooses for cards in Debian 12."""
    packages = {
        name: {"installed": installed, "available": versions}
        for name, versions in (BOOKWORM if available is None else available).items()
    }
    seen = {"devices": [{"device": device} for device in devices], "packages": packages, "codename": "bookworm"}
    return FILTERS["gpu_driver"](
        seen, GROUPS, more.get("flavour", "auto"), more.get("version", ""), bool(more.get("elsewhere"))
    )


@pytest.mark.parametrize(
    ("device", "branch", "fits"),
    [
        ("1b06", 535, ("proprietary",)),  # GTX 1080 Ti
        ("1db4", 535, ("proprietary",)),  # V100
        ("1eb8", 535, ("proprietary", "open")),  # T4
        ("20b2", 535, ("proprietary", "open")),  # A100
        ("2204", 535, ("proprietary",)),  # RTX 3090
        ("2204", 570, ("open", "proprietary")),
        ("26b9", 550, ("proprietary",)),  # L40S
        ("2330", 535, ("proprietary",)),  # H100
        ("2330", 550, ("proprietary", "open")),
        ("2335", 550, ("proprietary",)),  # H200
        ("2342", 550, ("open",)),  # GH200
        ("2901", 570, ("open",)),  # B200
    ],
)
def test_flavours_of_cards(device: str, branch: int, fits: tuple[str, ...]) -> None:
    assert drivers.flavours(device, branch) == fits


@pytest.mark.parametrize(
    ("device", "branch", "text"),
    [
        ("2335", 535, r"10de:2335 \(Hopper\), which needs branch 550 or newer"),
        ("2901", 550, r"10de:2901 \(Blackwell\), which needs branch 570 or newer"),
        ("3182", 570, "needs branch 580 or newer"),
        ("1180", 535, r"Kepler or older\), which needs branch 470 or older"),
        ("1b06", 590, "needs branch 580 or older"),
        ("3500", 570, "newer than this collection knows"),
    ],
)
def test_cards_that_a_branch_does_not_know(device: str, branch: int, text: str) -> None:
    with pytest.raises(drivers.NoDriver, match=text):
        drivers.flavours(device, branch)


def test_one_version_for_modules_and_libraries() -> None:
    assert choose("20b2") == {"flavour": "proprietary", "version": "535.309.01", "problem": "", "cause": ""}
    # The newest library would part from the open modules.
    assert choose("20b2", flavour="open") == {"flavour": "open", "version": "535.261.03", "problem": "", "cause": ""}
    assert choose("20b2", version="535.261.03")["version"] == "535.261.03"
    # An update in the archive changes nothing by itself.
    assert choose("20b2", installed=OLD)["version"] == "535.261.03"


def test_a_version_that_is_not_there() -> None:
    assert "not every package is there in version 535.1.1" in choose("20b2", version="535.1.1")["problem"]
    parted = {**BOOKWORM, "nvidia-open-kernel-dkms": ["535.200.01-1"]}
    assert "no version is common" in choose("20b2", available=parted, flavour="open")["problem"]
    assert choose("20b2", available={**BOOKWORM, "libcuda1": []})["problem"] == "the package sources have no libcuda1"


def test_before_the_sources_are_known_the_distribution_decides() -> None:
    empty: dict[str, list[str]] = {**{name: [] for name in BOOKWORM}, "dkms": ["3.0.10-8"]}
    assert choose("20b2", available=empty) == {"flavour": "proprietary", "version": "", "problem": "", "cause": ""}
    assert "branch 535 does not know the card 10de:2901" in choose("2901", available=empty)["problem"]


def test_what_newer_package_lists_may_solve() -> None:
    assert choose("20b2", version="535.320.01")["cause"] == "lists"
    assert choose("20b2", available={**BOOKWORM, "libcuda1": []})["cause"] == "lists"
    # The branch of a distribution stays; that of the operator's repository is known when it was read.
    assert choose("2901")["cause"] == "cards"
    assert choose("2901", elsewhere="yes")["cause"] == "lists"
    assert choose("2901", elsewhere="yes", version="550.1.1")["cause"] == "cards"
    nothing: dict[str, list[str]] = {name: [] for name in BOOKWORM}
    assert set(choose("2901", elsewhere="yes", available=nothing).values()) == {""}


def test_several_cards_share_one_driver() -> None:
    assert choose("20b2", "1db4")["flavour"] == "proprietary"
    newer = {name: ["570.100.10-1"] for name in BOOKWORM}
    assert choose("20b2", "2901", available=newer)["flavour"] == "open"
    assert (
        "no flavour of branch 570 supports all of the cards 1db4, 2901"
        in choose("1db4", "2901", available=newer)["problem"]
    )


def test_a_flavour_that_a_card_does_not_bear() -> None:
    assert (
        "the open kernel modules of branch 535 do not support the card 10de:2204"
        in choose("2204", flavour="open")["problem"]
    )
    newer = {name: ["570.100.10-1"] for name in BOOKWORM}
    assert (
        "proprietary kernel modules of branch 570" in choose("2901", available=newer, flavour="proprietary")["problem"]
    )


def test_versions() -> None:
    assert drivers.upstream("1:535.309.01-0+deb12u1") == "535.309.01"
    assert drivers.upstream("535.216.03-2~bpo12+1") == "535.216.03"
    assert drivers.newest(["535.99.1", "535.261.03", "470.1"]) == "535.261.03"
    assert drivers.branch("") == 0


def test_gpus_among_the_devices_of_a_vm() -> None:
    gpu, audio = {"vendor": "10de", "class": "0302", "profile": ""}, {"vendor": "10de", "class": "0403"}
    others = [{"vendor": "15b3", "class": "0302"}, {"vendor": "", "class": ""}, {"vendor": "10de"}]
    assert FILTERS["gpu_devices"]([audio, gpu, *others]) == [gpu]


def test_requirements_of_frameworks() -> None:
    wanted = FILTERS["gpu_requirements"]
    assert wanted([]) == []
    assert [one.split("==")[0] for one in wanted(["torch", "jax"])] == ["torch", "jax[cuda12]"]
    # The operator's own version stays, in whatever form.
    assert wanted(["torch"], ["Torch>=2.1", "numpy"]) == []
    assert all("==" in one for one in wanted(["torch", "tensorflow", "jax"]))
