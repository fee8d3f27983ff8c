# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module tunnel_addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from module_runner import ModuleFailed, run_module

from ansible_collections.fact8ra.flower.plugins.module_utils import _tunnels
from ansible_collections.fact8ra.flower.plugins.modules import tunnel_addresses

NETWORKS = ["10.199.0.0/29", "fd00:1::/64"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "federation" / "tunnel-addresses.json"


def run(path: Path, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    return run_module(tunnel_addresses, {"path": str(path), "networks": NETWORKS, **options}, check=check, diff=diff)


def test_create_no_change_update_delete(path: Path) -> None:
    planned = run(path, check=True, diff=True, peers=["b", "a"])
    assert planned["changed"]
    assert planned["diff"] == {"before": {"numbers": {}}, "after": {"numbers": {"a": 3, "b": 4}}}
    assert not path.parent.exists()

    made = run(path, peers=["b", "a"])
    assert made["changed"]
    assert made["tunnel"] == planned["tunnel"]
    assert made["tunnel"]["addresses"] == {"a": ["10.199.0.3", "fd00:1::3"], "b": ["10.199.0.4", "fd00:1::4"]}
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]

    again = run(path, peers=["a", "b"])
    assert not again["changed"]
    assert again["tunnel"] == made["tunnel"]

    # A peer that is not named keeps its place, a new one gets the next.
    more = run(path, diff=True, peers=["0-first", "b"])
    assert more["changed"]
    assert more["diff"]["after"] == {"numbers": {"0-first": 5, "b": 4}}
    assert more["tunnel"]["numbers"] == {"0-first": 5, "a": 3, "b": 4}

    planned = run(path, check=True, diff=True, peers=["b"], release=["a"])
    assert planned["changed"]
    assert planned["tunnel"]["numbers"] == {"0-first": 5, "b": 4}
    assert run(path, peers=["b"])["tunnel"]["numbers"]["a"] == 3

    assert run(path, peers=["b", "new"], release=["a"])["tunnel"]["numbers"] == {"0-first": 5, "b": 4, "new": 3}
    assert not run(path, release=["a"])["changed"]
    gone = run(path, release=["0-first", "b", "new"])
    assert gone["changed"]
    assert gone["tunnel"] == {"numbers": {}, "addresses": {}}
    assert not path.exists()


def test_peers_keep_their_places_in_another_network(path: Path) -> None:
    run(path, peers=["a", "b"])
    run(path, release=["a"])
    moved = run(path, peers=["b"], networks=["10.200.0.0/24"])
    assert not moved["changed"]
    assert moved["tunnel"]["addresses"] == {"b": ["10.200.0.4"]}


def test_a_full_network_is_refused(path: Path) -> None:
    run(path, peers=["a", "b", "c", "d"])
    before = path.read_text()
    with pytest.raises(ModuleFailed, match=r"peer e cannot have an address: .* 6 for hosts, 2 are reserved and 4 are"):
        run(path, peers=["a", "e"])
    assert path.read_text() == before
    # A number that is released in the same call is free.
    assert run(path, peers=["e"], release=["c"])["tunnel"]["numbers"]["e"] == 5


def test_no_peer_is_moved_for_a_smaller_network(path: Path) -> None:
    run(path, peers=["a", "b"])
    with pytest.raises(ModuleFailed, match="peer b has number 4, which must be 3 to 3 in these networks"):
        run(path, peers=["a", "b"], networks=["fd00::/126"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": ["10.199.0.1/24"]}, "has host bits set"),
        ({"networks": ["10.199.0.0/24\nPostUp = id"]}, "must be a network such as"),
        ({"networks": []}, "networks is empty"),
        ({"networks": ["10.0.0.0/8", "10.199.0.0/24"]}, "10.0.0.0/8 and 10.199.0.0/24, which overlap"),
        ({"peers": ["a\nb"]}, "peers has 'a\\\\nb'; the name of a peer has letters"),
        ({"peers": ["é"]}, "the name of a peer has letters"),
        ({"release": ["-a"]}, "release has '-a'"),
        ({"peers": ["a"], "release": ["a"]}, "peers and release both have a"),
        ({"reserved": 7}, "reserved is 7; it must be 0 to 6"),
        ({"reserved": -1}, "reserved is -1"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModuleFailed, match=message):
        run(path, **options)
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "does not have what this module writes"),
        ('{"format": 2, "numbers": {}}', "does not have what this module writes"),
        ('{"format": 1, "numbers": {"a": "3"}}', "does not have what this module writes"),
        ('{"format": 1, "numbers": {"a": true}}', "does not have what this module writes"),
        ('{"format": 1, "numbers": {"a": 3, "b": 3}}', "gives two peers the same number"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(path: Path, content: str, message: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ModuleFailed, match=message) as failed:
        run(path, peers=["a"])
    assert str(path) in failed.value.result["msg"]
    assert path.read_text() == content


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(path, peers=["a"])
    before = path.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_tunnels.os, "fsync", full)
    with pytest.raises(ModuleFailed, match=r"cannot be written: .*No space left"):
        run(path, peers=["a", "b"])
    assert path.read_text() == before
    assert json.loads(before) == {"format": 1, "numbers": {"a": 3}}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_write_that_changes_nothing_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tunnels.Numbers, "write", lambda _self, _numbers: None)
    with pytest.raises(ModuleFailed, match="numbers of peers in"):
        run(path, peers=["a"])
