# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The partition table and the boot sectors of an image."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest

from fact8ra_image import disk, given
from fact8ra_image.system import ImageError


def rows(text: str) -> list[dict[str, str]]:
    """The partitions of a table for sfdisk."""
    return [dict(re.findall(r"(\w+)=([^,]+)", line)) for line in text.splitlines() if line.startswith("start=")]


def test_partitions_follow_each_other_and_root_is_the_last() -> None:
    found = rows(disk.partitions("flower-superlink", 1140))
    assert [row["name"] for row in found] == ["bios", "esp", "root"]
    assert [row["type"] for row in found] == [disk.BIOS_TYPE, disk.ESP_TYPE, disk.LINUX_TYPE]
    ends = [int(row["start"]) + int(row["size"]) for row in found]
    assert [int(row["start"]) for row in found] == [2048, ends[0], ends[1]]
    # The table's copy is behind it, on a disk of 1140 MiB.
    assert ends[2] + 33 <= 1140 << 11
    assert all(int(row["start"]) % 2048 == 0 for row in found)


def test_identifiers_are_those_of_every_build_and_of_no_other_image() -> None:
    assert disk.partitions("flower-superlink", 1140) == disk.partitions("flower-superlink", 1140)
    names = ("disk", "bios", "esp", "root", "file-system")
    found = {disk.identifier(image, name) for image in ("flower-superlink", "flower-supernode") for name in names}
    assert len(found) == 10
    assert re.fullmatch("[0-9A-F]{8}", disk.esp_serial("flower-superlink"))


def test_the_boot_code_loads_the_core_image_where_it_is() -> None:
    code, core = disk.boot_sectors(bytes(range(256)) * 2, b"\xaa" * 30_000, 2048)
    assert len(code) == 440
    assert struct.unpack_from("<Q", code, 0x5C) == (2048,)
    assert code[0x66:0x68] == b"\x90\x90"
    assert struct.unpack_from("<Q", core, 0x1F4) == (2049,)
    # Length and segment of the list are grub-mkimage's.
    assert core[0x1FC:] == b"\xaa" * (30_000 - 0x1FC)


def test_a_core_image_that_its_partition_has_no_room_for() -> None:
    with pytest.raises(ImageError, match="core image has 1048577 bytes"):
        disk.boot_sectors(bytes(512), bytes((1 << 20) + 1))


def test_the_largest_partition_of_a_given_image_is_looked_at_first() -> None:
    table = {
        "sectorsize": 512,
        "partitions": [
            {"node": "disk.raw1", "start": 262144, "size": 4000000},
            {"node": "disk.raw14", "start": 2048, "size": 6144},
            {"node": "disk.raw15", "start": 8192, "size": 253952},
        ],
    }
    first, *others = given.candidates(table)
    assert first == given.Root(1, 262144 * 512, 4000000 * 512, True)
    assert [(root.number, root.last) for root in others] == [(15, False), (14, False)]
    assert given.candidates({}) == []


@pytest.mark.parametrize("kind", ["qcow2", "raw"])
def test_a_whole_image_is_taken(kind: str) -> None:
    told = {"format": kind, "format-specific": {"type": kind, "data": {"compat": "1.1", "corrupt": False}}}
    assert given.image_format(told, "base") == kind
    assert given.image_format({"format": kind}, "base") == kind


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"format": "vmdk"}, "is an image of format vmdk; appliance_base must be one of qcow2 or raw"),
        ({}, "is an image of format None"),
        ({"format": "qcow2", "backing-filename": "/etc/shadow"}, "has backing-filename /etc/shadow"),
        ({"format": "qcow2", "full-backing-filename": "/etc/shadow"}, "has full-backing-filename /etc/shadow"),
        (
            {"format": "qcow2", "format-specific": {"type": "qcow2", "data": {"data-file": "/dev/sda"}}},
            "has data-file /dev/sda",
        ),
    ],
)
def test_an_image_with_content_of_other_files_is_refused(told: dict[str, Any], named: str) -> None:
    with pytest.raises(ImageError, match=re.escape(f"base {named}")):
        given.image_format(told, "base")
