# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The federation's PKI, judged by openssl and ssh-keygen rather than by the library that made it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pki
import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import library
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import Store
from ansible_collections.fact8ra.flower.plugins.modules import federation_pki

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run() -> Run:
    """Run the module with options and return its result."""
    return pki.run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "federation" / "pki"


def _verify(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return pki.verify(directory / "trust.crt", directory / "superlink.crt", *arguments)


@pytest.mark.parametrize(
    ("key_type", "printed"),
    [({"key_type": "ec"}, "secp384r1"), ({"key_type": "rsa", "key_size": 3072}, "(3072 bit)")],
)
def test_openssl_accepts_the_chain_strictly(run: Run, directory: Path, key_type: dict[str, Any], printed: str) -> None:
    run(pki.options(directory, ca=key_type))
    for name in ("link.example.org", "localhost"):
        assert _verify(directory, "-verify_hostname", name).returncode == 0
    for address in ("192.0.2.10", "2001:db8::10", "127.0.0.1", "127.0.0.2", "::1"):
        assert _verify(directory, "-verify_ip", address).returncode == 0
    assert "IP address mismatch" in _verify(directory, "-verify_ip", "192.0.2.11").stderr
    strict = pki.openssl("verify", "-x509_strict", "-CAfile", str(directory / "ca.crt"), str(directory / "ca.crt"))
    assert strict.returncode == 0
    assert printed in pki.openssl("x509", "-noout", "-text", "-in", str(directory / "ca.crt")).stdout


def test_the_certificates_say_what_rfc_5280_asks(run: Run, directory: Path) -> None:
    run(pki.options(directory))

    def printed(name: str) -> str:
        return pki.openssl("x509", "-noout", "-text", "-in", str(directory / name)).stdout

    ca, leaf = printed("ca.crt"), printed("superlink.crt")
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0" in ca
    assert "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n" in ca
    assert "X509v3 Basic Constraints: critical\n                CA:FALSE" in leaf
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in leaf
    assert "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n" in leaf
    authority_id = leaf.split("X509v3 Authority Key Identifier: \n")[1].splitlines()[0].strip()
    assert authority_id in ca.split("X509v3 Subject Key Identifier: \n")[1].splitlines()[0]
    assert "secp384r1" in leaf


def test_a_leaf_cannot_issue(run: Run, directory: Path, tmp_path: Path) -> None:
    run(pki.options(directory))
    key, request, forged = tmp_path / "k", tmp_path / "r", tmp_path / "c"
    pki.openssl(
        "req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", str(key), "-out", str(request), "-subj", "/CN=x"
    )
    issuer = ["-CA", str(directory / "superlink.crt"), "-CAkey", str(directory / "superlink.key")]
    assert pki.openssl("x509", "-req", "-in", str(request), *issuer, "-out", str(forged), "-days", "1").returncode == 0
    chain = ["-untrusted", str(directory / "superlink.crt"), str(forged)]
    assert pki.openssl("verify", "-CAfile", str(directory / "trust.crt"), *chain).returncode != 0


def test_the_ca_key_is_encrypted_and_modes_are_closed(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    key = str(directory / "ca.key")
    assert (directory / "ca.key").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert pki.openssl("pkey", "-in", key, "-noout", "-passin", "stdin", input=pki.PASSPHRASE).returncode == 0
    assert pki.openssl("pkey", "-in", key, "-noout", "-passin", "stdin", input="wrong wrong").returncode != 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in [directory, *directory.rglob("*")]}
    assert {name for name, mode in modes.items() if mode == 0o700} == {"pki", "supernodes"}
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}


def test_ssh_keygen_derives_the_public_keys_that_are_returned(run: Run, directory: Path) -> None:
    result = run(pki.options(directory))
    assert sorted(result["supernode_public_keys"]) == ["alpha-supernode-0", "beta-supernode-0"]
    for name, line in result["supernode_public_keys"].items():
        path = directory / "supernodes" / f"{name}.key"
        derived = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", path], capture_output=True, text=True, check=True)
        assert derived.stdout.split()[:2] == line.split()[:2]
        assert (directory / "supernodes" / f"{name}.pub").read_text() == f"{line}\n"
        assert line.startswith("ecdsa-sha2-nistp384 ")
    assert len(set(result["supernode_public_keys"].values())) == 2


def test_a_second_run_touches_nothing(run: Run, directory: Path) -> None:
    first = run(pki.options(directory))
    before = pki.snapshot(directory)
    second = run(pki.options(directory))
    assert (first["changed"], second["changed"]) == (True, False)
    assert pki.snapshot(directory) == before
    assert second["diff"]["before"] == second["diff"]["after"] == first["diff"]["after"]
    assert second["superlink"] == first["superlink"]


def test_the_order_of_names_does_not_matter(run: Run, directory: Path) -> None:
    run(
        pki.options(directory, superlink={"names": ["a.example.org", "B.example.org."], "addresses": ["2001:db8:0::1"]})
    )
    again = run(
        pki.options(directory, superlink={"names": ["b.example.org", "a.example.org"], "addresses": ["2001:db8::1"]})
    )
    assert again["changed"] is False


def test_check_mode_writes_nothing_and_foretells(run: Run, directory: Path) -> None:
    foretold = run(pki.options(directory), check=True)
    assert not directory.parent.exists()
    assert foretold["changed"] is True
    assert foretold["supernode_public_keys"] == {}
    assert "superlink" not in foretold
    done = run(pki.options(directory))
    assert foretold["changes"] == done["changes"]
    assert foretold["diff"]["after"]["superlink"]["sans"] == done["superlink"]["sans"]
    assert run(pki.options(directory), check=True)["changed"] is False


def test_new_names_issue_the_leaf_alone(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    before = pki.snapshot(directory)
    options = pki.options(directory, superlink={"addresses": ["192.0.2.11"]})
    foretold = run(options, check=True)
    assert pki.snapshot(directory) == before
    result = run(options)
    assert foretold["changes"] == result["changes"]
    assert pki.reasons(result) == {
        "superlink": "names or addresses changed: +IP:192.0.2.11, -IP:192.0.2.10, -IP:2001:db8::10"
    }
    changed = {name for name, content in pki.snapshot(directory).items() if before[name] != content}
    assert changed == {"superlink.crt"}
    assert _verify(directory, "-verify_ip", "192.0.2.11").returncode == 0


def test_a_new_supernode_leaves_the_others_alone(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    before = pki.snapshot(directory)
    result = run(pki.options(directory, supernodes=["alpha-supernode-0", "gamma"]))
    assert pki.reasons(result) == {"supernode gamma": "missing"}
    after = pki.snapshot(directory)
    assert after.keys() - before.keys() == {"supernodes/gamma.key", "supernodes/gamma.pub"}
    assert {name: after[name] for name in before} == before
    assert sorted(result["supernode_public_keys"]) == ["alpha-supernode-0", "gamma"]


def test_purging_removes_the_keys_of_undeclared_supernodes(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    options = pki.options(directory, supernodes=["beta-supernode-0"], purge_supernodes=True)
    foretold = run(options, check=True)
    result = run(options)
    assert (
        foretold["changes"]
        == result["changes"]
        == [{"object": "supernode alpha-supernode-0", "reason": "is not declared"}]
    )
    assert foretold["diff"]["after"]["supernodes"].keys() == result["diff"]["after"]["supernodes"].keys()
    assert sorted(path.name for path in (directory / "supernodes").iterdir()) == [
        "beta-supernode-0.key",
        "beta-supernode-0.pub",
    ]


@pytest.mark.parametrize(("days", "renewed"), [(69, False), (71, True), (150, True)])
def test_the_leaf_is_renewed_inside_its_window(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch, days: int, renewed: bool
) -> None:
    options = pki.options(directory, superlink={"validity_days": 100}, renew_before_days=30)
    first = run(options)
    key = (directory / "superlink.key").read_bytes()
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=days))
    later = run(options)
    assert later["changed"] is renewed
    assert (later["superlink"]["serial"] != first["superlink"]["serial"]) is renewed
    assert (directory / "superlink.key").read_bytes() == key
    assert run(options)["changed"] is False


def test_a_leaf_capped_by_its_ca_is_not_renewed_at_every_run(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = pki.options(directory, ca={"validity_days": 50}, superlink={"validity_days": 100})
    first = run(options)
    assert first["superlink"]["not_after"] == first["ca"]["not_after"]
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=45))
    later = run(options)
    assert later["changed"] is False
    assert "plan its replacement" in str(later["warnings"])


def test_an_expired_ca_is_named(run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(pki.options(directory, ca={"validity_days": 50}))
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=51))
    message = run(pki.options(directory, ca={"validity_days": 50}))["msg"]
    assert f"the CA at {directory}/ca.crt expired on " in message


def test_a_new_ca_issues_the_leaf_anew(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    for name in ("ca.key", "ca.crt"):
        (directory / name).unlink()
    foretold = run(pki.options(directory), check=True)
    result = run(pki.options(directory))
    assert foretold["changes"] == result["changes"]
    assert sorted(pki.reasons(result)) == ["ca", "superlink", "trust"]
    assert _verify(directory).returncode == 0


@pytest.mark.parametrize("survives", range(1, 9))
def test_a_cut_at_any_write_is_finished_by_the_next_run(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    written: list[str] = []
    whole = Store.write

    def cut(self: Store, name: str, content: bytes) -> None:
        if len(written) == survives:
            raise KeyboardInterrupt
        written.append(name)
        whole(self, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", cut)
        with patch_module_args(pki.options(directory)), pytest.raises(KeyboardInterrupt):
            federation_pki.main()
    assert run(pki.options(directory))["changed"] is True
    assert _verify(directory, "-verify_hostname", "link.example.org").returncode == 0
    assert run(pki.options(directory))["changed"] is False


def test_open_modes_are_closed(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    directory.chmod(0o755)
    (directory / "superlink.key").chmod(0o640)
    foretold = run(pki.options(directory), check=True)
    assert foretold["diff"]["before"]["modes"] == {".": "0755", "superlink.key": "0640"}
    assert pki.reasons(run(pki.options(directory))) == {
        "modes": "must be closed to other users: . 0755, superlink.key 0640"
    }
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "superlink.key").stat().st_mode & 0o777 == 0o600


def test_a_wrong_public_key_is_written_anew(run: Run, directory: Path) -> None:
    first = run(pki.options(directory))
    (directory / "supernodes" / "alpha-supernode-0.pub").write_text("")
    again = run(pki.options(directory))
    assert pki.reasons(again) == {"supernode alpha-supernode-0": "public key is not the private key's"}
    assert again["supernode_public_keys"] == first["supernode_public_keys"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "ca.key").unlink(), "ca.crt is there without ca.key"),
        (lambda d: (d / "ca.key").write_text("x"), "ca.key is not a private key in PEM"),
        (lambda d: (d / "ca.crt").write_text("x"), "ca.crt is not a certificate in PEM"),
        (lambda d: (d / "ca.key").write_bytes((d / "superlink.key").read_bytes()), "ca.key is not encrypted"),
        (lambda d: (d / "superlink.key").write_bytes((d / "ca.key").read_bytes()), "superlink.key is encrypted"),
        (
            lambda d: (d / "ca.crt").write_bytes((d / "superlink.crt").read_bytes()),
            "ca.crt is not the certificate of a CA",
        ),
        (lambda d: (d / "superlink.crt").write_text("x"), "superlink.crt is not a certificate in PEM"),
        (
            lambda d: (d / "supernodes" / "alpha-supernode-0.key").write_text("x"),
            "alpha-supernode-0.key is not a private key in OpenSSH's format",
        ),
    ],
)
def test_foreign_files_are_named_and_left_alone(
    run: Run, directory: Path, damage: Callable[[Path], None], message: str
) -> None:
    run(pki.options(directory))
    damage(directory)
    before = pki.snapshot(directory)
    for check in (True, False):
        result = run(pki.options(directory), check=check)
        assert result["failed"] is True
        assert f"{directory}/" in result["msg"]
        assert message in result["msg"]
    assert pki.snapshot(directory) == before


def test_a_supernode_key_that_flower_refuses_is_named(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    path = directory / "supernodes" / "alpha-supernode-0.key"
    for key_type in ("ed25519", "rsa"):
        path.unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", key_type, "-N", "", "-f", path], check=True)
        message = run(pki.options(directory))["msg"]
        assert str(path) in message
        assert "neither EC nor RSA" in message or "which Flower refuses" in message


def test_a_wrong_passphrase_is_named(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    result = run(pki.options(directory, ca={"passphrase": "not the right one"}))
    assert result["msg"] == f"the passphrase does not open {directory}/ca.key; give the one the key was made with"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ca": {"common_name": "other"}}, "a CA is not renamed in place"),
        ({"ca": {"key_type": "rsa"}}, "has a key EC P-384, but ca asks for RSA 4096"),
        ({"ca": {"curve": "P-256"}}, "has a key EC P-384, but ca asks for EC P-256"),
        ({"ca": {"passphrase": "short"}}, "ca.passphrase must have 8 to 1023 bytes"),
        ({"ca": {"common_name": "x" * 65}}, "has 65 characters"),
        ({"ca": {"validity_days": 0}}, "ca.validity_days is 0"),
        ({"superlink": {"names": ["192.0.2.1"]}}, "superlink.names has the address '192.0.2.1'"),
        ({"superlink": {"names": ["a b"]}}, "superlink.names has 'a b', which is not a DNS name"),
        ({"superlink": {"addresses": ["192.0.2.0/24"]}}, "superlink.addresses has '192.0.2.0/24'"),
        ({"superlink": {"addresses": ["fe80::1%eth0"]}}, "superlink.addresses has 'fe80::1%eth0'"),
        ({"supernodes": ["../../etc/passwd"]}, "supernodes has '../../etc/passwd'"),
        ({"supernodes": ["a", "b", "a"]}, "supernodes has a more than once"),
        ({"renew_before_days": 397}, "would be issued anew at every run"),
    ],
)
def test_a_wrong_declaration_is_refused_before_anything_is_touched(
    run: Run, directory: Path, changes: dict[str, Any], message: str
) -> None:
    run(pki.options(directory))
    before = pki.snapshot(directory)
    result = run(pki.options(directory, **changes))
    assert message in result["msg"]
    assert pki.snapshot(directory) == before


def test_a_directory_of_something_else_is_refused(run: Run, directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "thesis.tex").write_text("x")
    assert f"{directory} holds no PKI, but thesis.tex" in run(pki.options(directory))["msg"]
    assert [path.name for path in directory.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_directory_is_named(run: Run, directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("x")
    assert f"{directory} is not a directory" in run(pki.options(directory))["msg"]
    below = run(pki.options(directory / "deeper"))["msg"]
    assert f"{directory}/deeper" in below
    assert "Not a directory" in below


def test_an_unreadable_file_is_named(run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no mode keeps out.
    run(pki.options(directory))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    message = run(pki.options(directory))["msg"]
    assert f"cannot read {directory}/" in message
    assert "Permission denied; the directory of the PKI must belong to the user who runs Ansible" in message


def test_a_write_that_fails_leaves_no_part_behind(run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    assert f"cannot write {directory}/ca.key: No space left on device" in run(pki.options(directory))["msg"]
    assert list(directory.iterdir()) == []


def test_absent_removes_what_was_made_and_nothing_else(run: Run, directory: Path) -> None:
    run(pki.options(directory))
    (directory / "note").write_text("kept")
    options = {"directory": str(directory), "state": "absent"}
    foretold = run(options, check=True)
    assert (directory / "ca.key").exists()
    result = run(options)
    assert foretold["changes"] == result["changes"]
    assert [path.name for path in directory.iterdir()] == ["note"]
    assert run(options)["changed"] is False


def test_a_missing_library_is_reported(run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "IMPORT_ERROR", "no module named cryptography")
    assert "Failed to import the required Python library (cryptography >= 42)" in run(pki.options(directory))["msg"]


def test_present_needs_its_objects(run: Run, directory: Path) -> None:
    message = run({"directory": str(directory)})["msg"]
    assert "state is present but all of the following are missing: superlink" in message
    message = run({"directory": str(directory), "superlink": {}})["msg"]
    assert message.startswith("ca is missing; ")
