# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""SuperNodes: what is registered, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flower_fakes import FakeControl, key_line

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import keys
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.supernodes import await_online, reconcile

RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDHsd6vZ1a5Q3Cq1V8l0Uqk2yqz3o5v9v7yqj0c2Wc3kQ== x"
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS x"


def node(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry of `supernodes` with a new key."""
    return {"name": name, "public_key": key_line(name), "location": None, **more}


def present(control: Any, given: list[dict[str, Any]], purge: bool = False, check: bool = False) -> dict[str, Any]:
    """Reconcile with state present."""
    return reconcile(control, given, True, purge, check_mode=check)


def test_registering_is_idempotent_and_shown() -> None:
    control, given = FakeControl(), [node("a"), node("b", location="1,2")]
    planned = present(control, given, check=True)
    assert planned["changed"]
    assert planned["registered"] == ["a", "b"]
    assert control.calls == []
    assert sorted(item["name"] for item in planned["diff"]["after"]["supernodes"].values()) == ["a", "b"]
    assert [row["node_id"] for row in planned["supernodes"]] == ["", ""]
    done = present(control, given)
    assert control.calls == [("register", "a"), ("register", "b")]
    assert [row["name"] for row in done["supernodes"]] == ["a", "b"]
    assert all(row["node_id"] for row in done["supernodes"])
    assert not present(control, given)["changed"]
    assert len(control.calls) == 2


def test_purge_registers_before_it_unregisters() -> None:
    control, old, new = FakeControl(), node("a"), node("a")
    present(control, [old, node("c")])
    control.calls.clear()
    done = present(control, [new], purge=True)
    assert control.calls[0] == ("register", "a")
    assert sorted(control.calls[1:]) == [("unregister", "a"), ("unregister", "c")]
    assert done["unregistered"] == ["a", "c"]
    assert [row["name"] for row in done["supernodes"]] == ["a"]
    assert not present(control, [new], purge=True)["changed"]


def test_absent_by_key_and_by_name() -> None:
    control, a, b = FakeControl(), node("a"), node("b")
    present(control, [a, b, node("c")])
    done = reconcile(control, [a, {"name": "c"}], False, False, check_mode=False)
    assert done["unregistered"] == ["a", "c"]
    assert [row["name"] for row in done["supernodes"]] == ["b"]
    assert not reconcile(control, [a, {"name": "c"}], False, False, check_mode=False)["changed"]


def test_a_burned_key_is_refused_with_the_remedy() -> None:
    control, a = FakeControl(), node("a")
    present(control, [a])
    reconcile(control, [a], False, False, check_mode=False)
    with pytest.raises(
        FlowerFailure, match=r"SuperNode a: its key SHA256:.*To make a new key pair, delete a.key"
    ) as caught:
        present(control, [a])
    assert caught.value.code == "key_burned"
    assert "playbook site.yml" in caught.value.message


def test_a_name_is_fixed() -> None:
    control, a = FakeControl(), node("a")
    present(control, [a])
    with pytest.raises(FlowerFailure, match="registered under the name 'a'"):
        present(control, [{**a, "name": "b"}])


def test_warnings() -> None:
    control, a = FakeControl(), node("a")
    present(control, [a])
    moved = present(control, [{**a, "location": "1,2"}])
    assert not moved["changed"]
    assert "cannot change it to 1,2" in moved["warnings"][0]
    twin = present(control, [node("a")])
    assert "another key" in twin["warnings"][0]
    assert "superlink_purge_supernodes" in twin["warnings"][0]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([{"name": "a", "public_key": "nonsense"}], "key"),
        ([{"name": "a", "public_key": ED25519}], "key"),
        ([{"name": "a", "public_key": RSA}], "key"),
        ([{"name": "a", "public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret"}], "key"),
        ([{"name": "a", "public_key": None}], "key"),
        ([node("a", location="north")], "location"),
        ([node("a", location="91,0")], "location"),
        ([node("a", location="1,nan")], "location"),
        ([node("a"), node("a")], "name_twice"),
    ],
)
def test_entries_that_cannot_be(given: list[dict[str, Any]], code: str) -> None:
    control: Any = FakeControl()
    with pytest.raises(FlowerFailure) as caught:
        present(control, given)
    assert caught.value.code == code
    assert "a" in caught.value.message
    assert "secret" not in caught.value.message
    assert control.calls == []


def test_a_key_that_two_share() -> None:
    a = node("a")
    with pytest.raises(FlowerFailure, match="b and a have the same public key"):
        present(FakeControl(), [a, {**a, "name": "b"}])


def test_purge_with_absent() -> None:
    control: Any = FakeControl()
    with pytest.raises(FlowerFailure, match="purge goes with state present"):
        reconcile(control, [], False, True, check_mode=False)


def test_fingerprint_is_that_of_ssh_keygen() -> None:
    pem = keys.ssh_to_pem(
        "a",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRr"
        "YMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=",
    )
    assert keys.pem_fingerprint(pem) == "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM"
    assert keys.pem_fingerprint(b"no key") == ""


def test_waiting_looks_again_until_all_are_online() -> None:
    control, looks, slept = FakeControl(), [], []
    present(control, [node("a")])

    def look() -> list[Any]:
        looks.append(1)
        status = "online" if len(looks) > 2 else "registered"
        return [replace(item, status=status) for item in control.known]

    nodes = await_online(look, ["a"], 60, lambda: float(len(slept)), slept.append)
    assert nodes[0].status == "online"
    assert len(looks) == 3
    nodes = await_online(look, ["b"], 3, lambda: float(len(slept)), slept.append)
    assert len(slept) == 5


def online(control: Any, key: str) -> None:
    """Let the SuperNode with a key be online."""
    control.known = [
        replace(node, status="online") if keys.pem_fingerprint(keys.ssh_to_pem("x", key)) == node.fingerprint else node
        for node in control.known
    ]


def test_a_key_is_replaced_only_when_the_new_one_works() -> None:
    control: Any = FakeControl()
    old, new, other = node("a"), node("a"), node("b")
    present(control, [old, other])
    both = [new, other]
    early = reconcile(control, both, True, False, replace=True, check_mode=False)
    assert (early["registered"], early["unregistered"]) == (["a"], [])
    assert "option replace" in early["warnings"][0]
    online(control, new["public_key"])
    planned = reconcile(control, both, True, False, replace=True, check_mode=True)
    assert planned["unregistered"] == ["a"]
    late = reconcile(control, both, True, False, replace=True, check_mode=False)
    assert late["unregistered"] == ["a"]
    assert control.calls[-1] == ("unregister", "a")
    assert [row["status"] for row in late["supernodes"]] == ["online", "registered"]
    assert not reconcile(control, both, True, False, replace=True, check_mode=False)["changed"]


def test_replacing_leaves_the_keys_of_others() -> None:
    control: Any = FakeControl()
    a, b = node("a"), node("b")
    present(control, [a, b])
    online(control, a["public_key"])
    assert not reconcile(control, [a], True, False, replace=True, check_mode=False)["changed"]


def test_replace_with_absent() -> None:
    control: Any = FakeControl()
    with pytest.raises(FlowerFailure, match="replace goes with state present"):
        reconcile(control, [], False, False, replace=True, check_mode=False)
