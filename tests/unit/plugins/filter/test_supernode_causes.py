# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a SuperNode is refused, from what Flower knows and what its host has."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flower_fakes import key_line

from ansible_collections.fact8ra.flower.plugins.filter.supernode_causes import FilterModule
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.identity import line_fingerprint

causes = FilterModule().filters()["supernode_causes"]
KEYS = {name: key_line(name) for name in ("a", "b", "other")}
PRINTS = {name: line_fingerprint(line) for name, line in KEYS.items()}


def node(name: str, key: str = "", status: str = "online", **more: Any) -> dict[str, Any]:
    """A SuperNode as Flower knows it."""
    return {"name": name, "fingerprint": PRINTS[key or name], "status": status, "unregistered_at": "", **more}


def seen(key: str = "a", code: str = "ok", **more: Any) -> dict[str, Any]:
    """What a host sees and has."""
    own = {"key_fingerprint": PRINTS[key], "key_problem": "", "connected": True, "authorities": []}
    return {"code": code, "problem": "", **own, **more}


def authority() -> tuple[str, dict[str, Any]]:
    """A new authority in PEM, and as a host reports it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a CA")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    return pem, {"subject": "a CA", "fingerprint_sha256": made.fingerprint(hashes.SHA256()).hex()}


def test_nothing_is_wrong_of_a_federation_that_works() -> None:
    nodes = [node("a"), node("b"), node("a", "other", "unregistered")]
    assert causes(nodes, {"a": seen("a"), "b": seen("b")}, "", KEYS) == {}
    assert causes(nodes, {"a": seen("a", connected=None), "b": {}}) == {}


@pytest.mark.parametrize(
    ("nodes", "hosts", "sentence"),
    [
        ([], {"a": seen()}, "is not registered with the SuperLink; run playbooks/site.yml"),
        ([node("a", status="unregistered", unregistered_at="2026")], {"a": seen()}, "it was unregistered at 2026"),
        ([node("a"), node("b")], {"a": seen(), "b": seen("a")}, "the same key is on b"),
        ([node("b")], {"a": seen("b")}, "is the one of b, and each SuperNode needs its own"),
        ([node("a")], {"a": seen(connected=False)}, "another host uses this key"),
        ([node("a")], {"a": seen(key_fingerprint="", key_problem="x is no key")}, "cannot be used: x is no key"),
        ([node("a")], {"a": seen(code="tls_expired", problem="it has expired")}, "the SuperLink: it has expired"),
        ([], {"a": {}}, "it is not registered"),
        ([node("a", status="unregistered", unregistered_at="2026")], {"a": {}}, "was revoked"),
    ],
)  # fmt: skip
def test_each_cause_has_its_sentence(
    nodes: list[dict[str, Any]], hosts: dict[str, dict[str, Any]], sentence: str
) -> None:
    assert any(sentence in told for told in causes(nodes, hosts)["a"])


def test_a_host_that_does_not_answer_flower_yet_has_no_cause() -> None:
    assert causes([node("a", status="offline")], {"a": seen(connected=False, code="refused", problem="nobody")}) == {}


def test_the_wrong_ca_is_held_against_the_controllers() -> None:
    (ours, _mine), (_theirs, foreign) = authority(), authority()
    told = causes([node("a", status="offline")], {"a": seen(code="tls_authority", authorities=[foreign])}, ours)["a"]
    assert "trusts the wrong CA" in told[0]
    assert foreign["fingerprint_sha256"][:16] in told[0]
    # With the controller's own bundle it is the SuperLink that has the certificate of another.
    pem, same = authority()
    told = causes([], {"a": seen(code="tls_authority", authorities=[same])}, pem)["a"]
    assert "which did not issue the SuperLink's certificate" in told[0]


def test_another_key_than_the_controllers_is_told_with_what_is_wrong() -> None:
    told = causes([node("b")], {"a": seen("other")}, "", {"a": KEYS["a"]})["a"]
    assert told[-1] == f"the controller has another key for it, {PRINTS['a']}"
