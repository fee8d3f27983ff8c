# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a CA may issue for, and whose keys the SuperNodes have."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pki
import pytest

PERMITTED = {"permitted_names": ["Example.org"], "permitted_addresses": ["192.0.2.0/24", "2001:db8::/32"]}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "pki"


def _forged(directory: Path, san: str) -> subprocess.CompletedProcess[str]:
    """What openssl says of a certificate for `san` that somebody with the CA's key made."""
    key, request, forged, extension = (directory.parent / name for name in ("k", "r", "c", "e"))
    pki.openssl("req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", request, "-subj", "/O=x")
    extension.write_text(f"subjectAltName={san}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    signer = ["-CA", directory / "ca.crt", "-CAkey", directory / "ca.key", "-passin", "stdin", "-extfile", extension]
    signed = pki.openssl("x509", "-req", "-in", request, *signer, "-out", forged, "-days", "9", input=pki.PASSPHRASE)
    assert signed.returncode == 0, signed.stderr
    return pki.openssl("verify", "-CAfile", directory / "trust.crt", forged)


@pytest.mark.parametrize("key_type", [{}, {"key_type": "rsa", "key_size": 3072}], ids=["ec", "rsa"])
def test_openssl_holds_a_ca_to_its_constraints(directory: Path, key_type: dict[str, Any]) -> None:
    pki.run(pki.options(directory, ca={**PERMITTED, **key_type}))
    text = pki.printed(directory / "ca.crt")
    assert "X509v3 Name Constraints: critical\n                Permitted:\n" in text
    for subtree in ("DNS:example.org", "DNS:localhost", "IP:127.0.0.0/255.0.0.0", "IP:192.0.2.0/255.255.255.0"):
        assert subtree in text
    leaf = directory / "superlink.crt"
    for name in ("link.example.org", "localhost"):
        assert pki.verify(directory / "trust.crt", leaf, "-verify_hostname", name).returncode == 0
    for address in ("192.0.2.10", "2001:db8::10", "127.0.0.2", "::1"):
        assert pki.verify(directory / "trust.crt", leaf, "-verify_ip", address).returncode == 0
    assert pki.shaken(directory / "trust.crt", leaf, directory / "superlink.key", "link.example.org") == ""
    for inside in ("DNS:example.org", "DNS:a.b.example.org", "IP:192.0.2.255", "IP:127.9.9.9"):
        assert _forged(directory, inside).returncode == 0
    for outside in ("DNS:example.com", "DNS:badexample.org", "IP:192.0.3.1", "IP:2001:db9::1", "DNS:localhost.com"):
        assert "permitted subtree violation" in _forged(directory, outside).stderr


def test_a_ca_without_constraints_may_issue_for_anything(directory: Path) -> None:
    pki.run(pki.options(directory))
    assert "Name Constraints" not in pki.printed(directory / "ca.crt")
    assert _forged(directory, "DNS:anything.example").returncode == 0


@pytest.mark.parametrize(
    ("ca", "outside"),
    [
        ({"permitted_names": ["example.com"]}, "DNS:link.example.org, IP:192.0.2.10, IP:2001:db8::10"),
        ({**PERMITTED, "permitted_names": ["other.example.org"]}, "DNS:link.example.org"),
        ({**PERMITTED, "permitted_addresses": ["192.0.2.0/24"]}, "IP:2001:db8::10"),
        ({"permitted_addresses": ["192.0.2.0/24", "2001:db8::/32"]}, "DNS:link.example.org"),
    ],
)
def test_what_is_outside_is_refused_before_anything_is_made(directory: Path, ca: dict[str, Any], outside: str) -> None:
    message = pki.run(pki.options(directory, ca=ca))["msg"]
    assert f"superlink has {outside}, outside of what ca.permitted_names" in message
    assert not directory.exists()


def test_other_constraints_need_another_ca(directory: Path) -> None:
    pki.run(pki.options(directory, ca=PERMITTED))
    before = pki.snapshot(directory)
    for ca in ({}, {**PERMITTED, "permitted_names": ["example.org", "example.com"]}):
        message = pki.run(pki.options(directory, ca=ca))["msg"]
        assert (
            "a CA does not change its constraints in place: declare what is there, or replace it by rollover: trust"
            in message
        )
    assert pki.snapshot(directory) == before
    again = {"permitted_names": ["example.org"], "permitted_addresses": ["2001:db8::/32", "192.0.2.0/24"]}
    assert pki.run(pki.options(directory, ca=again))["changed"] is False


def test_a_superlink_that_moves_outside_of_its_ca_is_taken_there_by_a_rollover(directory: Path) -> None:
    pki.run(pki.options(directory, ca=PERMITTED))
    leaf = (directory / "superlink.crt").read_bytes()
    ca, superlink = {**PERMITTED, "permitted_addresses": ["198.51.100.0/24"]}, {"addresses": ["198.51.100.7"]}
    trust = pki.run(pki.options(directory, ca=ca, superlink=superlink, rollover="trust"))
    assert "may issue for example.org, localhost, 127.0.0.0/8" in str(trust["warnings"])
    assert (directory / "superlink.crt").read_bytes() == leaf
    waiting = pki.run(pki.options(directory, ca=ca, superlink=superlink))["msg"]
    assert "not for IP:198.51.100.7; go on with rollover: switch" in waiting
    pki.run(pki.options(directory, ca=ca, superlink=superlink, rollover="switch"))
    files = directory / "trust.crt", directory / "superlink.crt"
    assert pki.verify(*files, "-verify_ip", "198.51.100.7").returncode == 0


@pytest.mark.parametrize(
    ("ca", "message"),
    [
        ({"permitted_names": ["*.example.org"]}, "ca.permitted_names has '*.example.org'; give the domain alone"),
        ({"permitted_names": ["192.0.2.1"]}, "addresses belong into ca.permitted_addresses"),
        ({"permitted_names": ["a\nb"]}, "ca.permitted_names has 'a\\nb', which is not a DNS name"),
        ({"permitted_addresses": ["192.0.2.1/24"]}, "has host bits set"),
        ({"permitted_addresses": ["fe80::%eth0/64"]}, "ca.permitted_addresses has 'fe80::%eth0/64'"),
        ({"permitted_addresses": ["example.org"]}, "give it like 192.0.2.0/24 or 2001:db8::/64"),
        ({"common_name": "a\nb"}, "ca.common_name has characters that cannot be printed"),
    ],
)
def test_a_wrong_limit_is_named(directory: Path, ca: dict[str, Any], message: str) -> None:
    assert message in pki.run(pki.options(directory, ca=ca))["msg"]
    assert not directory.exists()


# SuperNodes


def _made_on_the_node(directory: Path, name: str, kind: tuple[str, str] = ("ecdsa", "384")) -> Path:
    """Make a key as a node does, and bring its public half."""
    private = directory.parent / f"{name}.key"
    private.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind[0], "-b", kind[1], "-N", "", "-C", "root@node", "-f", private]
    subprocess.run(command, check=True)
    (directory / "supernodes").mkdir(mode=0o700, parents=True, exist_ok=True)
    public = directory / "supernodes" / f"{name}.pub"
    public.write_bytes(private.with_name(f"{private.name}.pub").read_bytes())
    return public


def test_keys_made_on_the_nodes_are_taken_as_they_are(directory: Path) -> None:
    publics = [
        _made_on_the_node(directory, name, ("ecdsa", bits)) for name, bits in (("alpha", "256"), ("beta", "521"))
    ]
    directory.chmod(0o700)
    before = [path.read_bytes() for path in publics]
    options = pki.options(directory, supernodes=["alpha", "beta"], supernode_keys="node")
    result = pki.run(options)
    assert sorted(pki.reasons(result)) == ["ca", "superlink", "trust"]
    assert {name: line.split()[:2] for name, line in result["supernode_public_keys"].items()} == {
        path.stem: path.read_text().split()[:2] for path in publics
    }
    assert result["files"]["supernode_keys"] == {}
    assert [path.read_bytes() for path in publics] == before
    assert sorted(path.name for path in (directory / "supernodes").iterdir()) == ["alpha.pub", "beta.pub"]
    assert pki.run(options)["changed"] is False


def test_a_key_that_the_node_has_not_made_is_named_but_in_check_mode(directory: Path) -> None:
    options = pki.options(directory, supernodes=["alpha"], supernode_keys="node")
    assert pki.run(options, check=True)["supernode_public_keys"] == {}
    message = pki.run(options)["msg"]
    assert message.startswith(f"{directory}/supernodes/alpha.pub is missing; supernode_keys is node")


@pytest.mark.parametrize(
    "content",
    ["", "x\n", "ed25519", "rsa", "two", "options", "ecdsa-sha2-nistp384 AAAA node\n", "ecdsa-sha2-nistp999 AAAA\n"],
)
def test_a_public_key_that_flower_refuses_is_named(directory: Path, content: str) -> None:
    public = _made_on_the_node(directory, "alpha")
    line = public.read_text()
    if content in ("ed25519", "rsa"):
        public = _made_on_the_node(directory, "alpha", (content, "3072"))
    else:
        public.write_text({"two": line * 2, "options": f"no-pty {line}"}.get(content, content))
    before = pki.snapshot(directory)
    message = pki.run(pki.options(directory, supernodes=["alpha"], supernode_keys="node"))["msg"]
    assert f"{public} is not one line with a public key that Flower takes" in message
    assert pki.snapshot(directory) == before


def test_two_supernodes_never_share_a_key(directory: Path) -> None:
    _made_on_the_node(directory, "alpha")
    shared = _made_on_the_node(directory, "beta").read_text()
    (directory / "supernodes" / "alpha.pub").write_text(f"{' '.join(shared.split()[:2])} another comment\n")
    for check in (True, False):
        message = pki.run(pki.options(directory, supernodes=["alpha", "beta"], supernode_keys="node"), check=check)[
            "msg"
        ]
        assert message.startswith("SuperNodes alpha and beta have the same key")
        assert "bring its public half as supernodes/beta.pub" in message


def test_two_supernodes_never_share_a_key_that_is_made_here(directory: Path) -> None:
    pki.run(pki.options(directory))
    nodes = directory / "supernodes"
    (nodes / "alpha-supernode-0.key").write_bytes((nodes / "beta-supernode-0.key").read_bytes())
    message = pki.run(pki.options(directory))["msg"]
    assert message.startswith("SuperNodes alpha-supernode-0 and beta-supernode-0 have the same key")
    renewed = pki.run(pki.options(directory, renew_supernodes=["beta-supernode-0"]))
    assert len({line.split()[1] for line in renewed["supernode_public_keys"].values()}) == 2


def test_keys_that_move_to_the_nodes_leave_nothing_here(directory: Path) -> None:
    pki.run(pki.options(directory, supernodes=["alpha"]))
    _made_on_the_node(directory, "alpha")
    options = pki.options(directory, supernodes=["alpha"], supernode_keys="node")
    foretold = pki.run(options, check=True)
    result = pki.run(options)
    assert foretold["changes"] == result["changes"]
    assert pki.reasons(result) == {"supernode alpha": "private key is not kept here"}
    assert [path.name for path in (directory / "supernodes").iterdir()] == ["alpha.pub"]
    purged = pki.options(directory, supernodes=[], supernode_keys="node", purge_supernodes=True)
    assert pki.reasons(pki.run(purged)) == {"supernode alpha": "is not declared"}
    assert list((directory / "supernodes").iterdir()) == []


def test_a_new_key_leaves_nothing_of_the_old_one(directory: Path) -> None:
    first = pki.run(pki.options(directory))
    before = pki.contents(directory)
    options = pki.options(directory, renew_supernodes=["alpha-supernode-0"])
    foretold = pki.run(options, check=True)
    assert pki.contents(directory) == before
    assert list(foretold["supernode_public_keys"]) == ["beta-supernode-0"]
    result = pki.run(options)
    assert foretold["changes"] == result["changes"]
    assert pki.reasons(result) == {"supernode alpha-supernode-0": "asked for by renew_supernodes"}
    after = pki.contents(directory)
    mine = {"supernodes/alpha-supernode-0.key", "supernodes/alpha-supernode-0.pub"}
    assert {name for name in after if after[name] != before[name]} == mine
    assert before["supernodes/alpha-supernode-0.key"] not in after.values()
    assert first["supernode_public_keys"]["beta-supernode-0"] == result["supernode_public_keys"]["beta-supernode-0"]
    derived = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", directory / "supernodes" / "alpha-supernode-0.key"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert derived.stdout.split()[:2] == result["supernode_public_keys"]["alpha-supernode-0"].split()[:2]
    assert pki.run(pki.options(directory))["changed"] is False


@pytest.mark.parametrize("survives", [0, 1])
def test_a_cut_while_a_key_is_renewed_leaves_a_pair(directory: Path, survives: int) -> None:
    pki.run(pki.options(directory))
    assert pki.run_cut(pki.options(directory, renew_supernodes=["alpha-supernode-0"]), survives)
    again = pki.run(pki.options(directory))
    assert again["changed"] is (survives == 1)
    private = directory / "supernodes" / "alpha-supernode-0.key"
    derived = subprocess.run(["ssh-keygen", "-y", "-f", private], capture_output=True, text=True, check=True)
    assert derived.stdout.split()[:2] == private.with_suffix(".pub").read_text().split()[:2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"renew_supernodes": ["gamma"]}, "renew_supernodes has 'gamma', which supernodes has not"),
        (
            {"renew_supernodes": ["beta-supernode-0"], "supernode_keys": "node"},
            "renew_supernodes has beta-supernode-0, but supernode_keys is node",
        ),
    ],
)
def test_a_renewal_that_cannot_be_is_refused(directory: Path, changes: dict[str, Any], message: str) -> None:
    assert message in pki.run(pki.options(directory, **changes))["msg"]
    assert not directory.exists()
