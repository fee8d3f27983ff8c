# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Certificates of an operator's own PKI, which is made by openssl."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pki
import pytest

SANS = "DNS:link.example.org,DNS:localhost,IP:192.0.2.10,IP:2001:db8::10,IP:127.0.0.1,IP:127.0.0.2,IP:::1"
_CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"


class OwnPki:
    """A root, an intermediate CA and leaves of it, all of openssl."""

    def __init__(self, directory: Path, name: str = "Hospital") -> None:
        directory.mkdir()
        self.directory = directory
        self.root = directory / "root.crt"
        self._self_signed("root", f"/CN={name} Root")
        self._request("middle", f"/CN={name} Issuing")
        self.sign(directory / "middle.csr", directory / "middle.crt", f"{_CA}authorityKeyIdentifier=keyid\n", "root")
        self.middle = directory / "middle.crt"

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def _self_signed(self, name: str, subject: str) -> None:
        files = ["-keyout", self.directory / f"{name}.key", "-out", self.directory / f"{name}.crt"]
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3000"]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._run("req", "-x509", *kind, *usage, "-subj", subject, *files)

    def _request(self, name: str, subject: str) -> None:
        files = ["-keyout", self.directory / f"{name}.key", "-out", self.directory / f"{name}.csr"]
        self._run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, *files
        )

    def sign(
        self, request: Path, out: Path, extensions: str, issuer: str = "middle", begin: str = "", days: int = 100
    ) -> None:
        """Sign a request; with `begin` (YYMMDD...Z) the certificate is of that day and 100 days long."""
        (self.directory / "extensions").write_text(extensions)
        signer = ["-CA", self.directory / f"{issuer}.crt", "-CAkey", self.directory / f"{issuer}.key"]
        if not begin:
            self._run(
                "x509",
                "-req",
                "-in",
                request,
                *signer,
                "-extfile",
                self.directory / "extensions",
                "-days",
                str(days),
                "-out",
                out,
            )
            return
        (self.directory / "index").write_text("")
        (self.directory / "config").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.directory}/index\nnew_certs_dir={self.directory}\n"
            "rand_serial=yes\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
        )
        dates = [
            "-startdate",
            begin,
            "-enddate",
            f"{datetime.strptime(begin, '%y%m%d%H%M%SZ') + timedelta(days=100):%y%m%d%H%M%SZ}",
        ]
        files = ["-in", request, "-out", out, "-extfile", self.directory / "extensions", "-notext", "-batch"]
        key = ["-cert", self.directory / f"{issuer}.crt", "-keyfile", self.directory / f"{issuer}.key"]
        self._run("ca", "-config", self.directory / "config", *dates, *files, *key)

    def leaf(self, request: Path | None = None, name: str = "leaf", **changes: Any) -> Path:
        """A leaf for a request (by default of a key of its own), followed by the intermediate CA; returns its file."""
        sans, usage = changes.pop("sans", SANS), changes.pop("usage", "serverAuth")
        chain = changes.pop("chain", [self.middle])
        if request is None:
            request = self.directory / f"{name}.csr"
            self._request(name, "/CN=link.example.org")
        extensions = f"subjectAltName={sans}\nextendedKeyUsage={usage}\nkeyUsage=critical,digitalSignature\n"
        extensions += "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nbasicConstraints=critical,CA:FALSE\n"
        out = self.directory / f"{name}.crt"
        self.sign(request, out, extensions, **changes)
        whole = self.directory / f"{name}.pem"
        whole.write_bytes(b"".join(path.read_bytes() for path in [out, *chain]))
        return whole


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "pki"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnPki:
    return OwnPki(tmp_path_factory.mktemp("own") / "pki")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> OwnPki:
    """Another PKI whose CAs have the same names."""
    return OwnPki(tmp_path_factory.mktemp("other") / "pki")


def _options(directory: Path, source: str, trust: Path, **superlink: Any) -> dict[str, Any]:
    paths = {name: str(value) for name, value in superlink.items()}
    options = pki.options(directory, superlink={"source": source, "trust": str(trust), **paths})
    del options["ca"]
    return options


def _provided(directory: Path, own: OwnPki, leaf: Path, **more: Any) -> dict[str, Any]:
    given = {"certificate": leaf, "key": leaf.with_suffix(".key"), **more}
    return _options(directory, "provided", given.pop("trust", own.root), **given)


def _accepted(directory: Path) -> None:
    trust, leaf, key = (directory / name for name in ("trust.crt", "superlink.crt", "superlink.key"))
    assert pki.verify(trust, leaf, "-verify_hostname", "link.example.org").returncode == 0
    assert pki.verify(trust, leaf, "-verify_ip", "127.0.0.2").returncode == 0
    assert pki.shaken(trust, leaf, key, "link.example.org") == ""


def test_a_provided_certificate_is_taken_over(directory: Path, own: OwnPki) -> None:
    options = _provided(directory, own, own.leaf())
    foretold = pki.run(options, check=True)
    assert not directory.exists()
    result = pki.run(options)
    assert foretold["changes"] == result["changes"]
    assert foretold["diff"]["after"]["superlink"] == result["diff"]["after"]["superlink"]
    assert foretold["diff"]["after"]["trust"] == result["diff"]["after"]["trust"]
    assert list(pki.reasons(result))[:2] == ["trust", "superlink"]
    _accepted(directory)
    assert "ca" not in result
    assert [found["subject"] for found in result["trust"]] == ["CN=Hospital Root"]
    files = sorted(name for name in pki.contents(directory) if "/" not in name)
    assert files == ["superlink.crt", "superlink.key", "trust.crt"]
    assert (directory / "superlink.key").stat().st_mode & 0o777 == 0o600
    before = pki.snapshot(directory)
    assert pki.run(options)["changed"] is False
    assert pki.snapshot(directory) == before


@pytest.mark.parametrize("kind", ["rsa", "encrypted"])
def test_keys_of_other_kinds_are_taken_over(directory: Path, own: OwnPki, kind: str) -> None:
    key = own.directory / f"{kind}.key"
    pki.openssl("genrsa", "-traditional", "-out", key, "2048")
    request = own.directory / f"{kind}.csr"
    pki.openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", request)
    more = {}
    if kind == "encrypted":
        locked = pki.openssl("pkey", "-in", key, "-aes256", "-passout", "stdin", input="a passphrase")
        key.write_text(locked.stdout)
        more = {"key_passphrase": "a passphrase"}
    leaf = own.leaf(request, name=kind)
    assert pki.run(_provided(directory, own, leaf, **more))["changed"] is True
    _accepted(directory)
    wrong = {"key_passphrase": "another"} if kind == "encrypted" else {"key_passphrase": "one too many"}
    message = pki.run(_provided(directory, own, leaf, **wrong))["msg"]
    assert "does not open it" in message or "is not encrypted; leave superlink.key_passphrase out" in message
    if kind == "encrypted":
        assert "is encrypted; give superlink.key_passphrase" in pki.run(_provided(directory, own, leaf))["msg"]


def _faults() -> list[Any]:
    long_ago = f"{datetime.now(UTC) - timedelta(days=200):%y%m%d%H%M%SZ}"
    ahead = f"{datetime.now(UTC) + timedelta(days=5):%y%m%d%H%M%SZ}"
    less = SANS.replace("DNS:link.example.org,", "").replace(",IP:127.0.0.2", "")
    faults: dict[str, tuple[Callable[[OwnPki, OwnPki], dict[str, Any]], str]] = {
        "names": (
            lambda own, _: {"certificate": own.leaf(name="less", sans=less)},
            "does not name DNS:link.example.org, IP:127.0.0.2",
        ),
        "expired": (lambda own, _: {"certificate": own.leaf(name="old", begin=long_ago)}, "expired on "),
        "early": (lambda own, _: {"certificate": own.leaf(name="early", begin=ahead)}, "is not valid before "),
        "usage": (
            lambda own, _: {"certificate": own.leaf(name="client", usage="clientAuth")},
            "is not for TLS servers",
        ),
        "key": (lambda own, _: {"key": own.directory / "root.key"}, "does not belong to the key"),
        "no chain": (
            lambda own, _: {"certificate": own.leaf(name="alone", chain=[])},
            "was issued by CN=Hospital Issuing, which is neither",
        ),
        "other root": (
            lambda own, other: {"trust": other.root},
            "does not verify for link.example.org against superlink.trust",
        ),
        "other issuer": (
            lambda own, other: {"certificate": own.leaf(name="mixed", chain=[other.middle])},
            "does not verify for link.example.org against superlink.trust",
        ),
        "order": (lambda own, _: {"certificate": own.middle}, "begins with the certificate of a CA"),
        "no anchor": (lambda own, _: {"trust": own.middle}, "CN=Hospital Issuing is not self-signed"),
        "leaf as anchor": (lambda own, _: {"trust": own.leaf(name="leaf2")}, "is not the certificate of a CA"),
        "no PEM": (lambda own, _: {"certificate": own.directory / "extensions"}, "holds no certificate in PEM"),
        "no key": (lambda own, _: {"key": own.root}, "is not a private key in PEM"),
        "no file": (lambda own, _: {"certificate": own.directory / "absent.pem"}, "cannot be read: No such file"),
    }
    return [pytest.param(*fault, id=name) for name, fault in faults.items()]


@pytest.mark.parametrize(("fault", "message"), _faults())
def test_what_is_wrong_is_named_and_nothing_is_replaced(
    directory: Path, own: OwnPki, other: OwnPki, fault: Callable[[OwnPki, OwnPki], dict[str, Any]], message: str
) -> None:
    leaf = own.leaf()
    pki.run(_provided(directory, own, leaf))
    before = pki.snapshot(directory)
    changes = fault(own, other)
    if "certificate" in changes and changes["certificate"].with_suffix(".key").exists():
        changes.setdefault("key", changes["certificate"].with_suffix(".key"))
    for check in (True, False):
        result = pki.run(_provided(directory, own, leaf, **changes), check=check)
        assert message in result["msg"]
        assert result["msg"].startswith("superlink.") or str(own.directory) in result["msg"]
    assert pki.snapshot(directory) == before


def test_several_faults_are_named_at_once(directory: Path, own: OwnPki) -> None:
    leaf = own.leaf(name="bad", usage="clientAuth", sans="DNS:localhost")
    message = pki.run(_provided(directory, own, leaf, key=own.directory / "root.key"))["msg"]
    for fault in ("does not belong to the key", "it is not for TLS servers", "it does not name DNS:link.example.org"):
        assert fault in message


def test_a_wildcard_covers_one_label(directory: Path, own: OwnPki) -> None:
    leaf = own.leaf(name="wild", sans=SANS.replace("link.example.org", "*.example.org"))
    assert pki.run(_provided(directory, own, leaf))["changed"] is True
    _accepted(directory)
    options = _provided(directory, own, leaf)
    options["superlink"]["names"] = ["a.link.example.org", "example.org"]
    assert "does not name DNS:a.link.example.org, DNS:example.org" in pki.run(options)["msg"]


def test_a_renewed_certificate_replaces_the_old_one(directory: Path, own: OwnPki) -> None:
    first = own.leaf()
    pki.run(_provided(directory, own, first))
    before = pki.contents(directory)
    same_key = own.leaf(first.with_suffix(".csr"), name="leaf")
    assert pki.reasons(pki.run(_provided(directory, own, same_key))) == {"superlink": "another certificate was brought"}
    assert {name for name, content in pki.contents(directory).items() if before[name] != content} == {"superlink.crt"}
    another = own.leaf(name="another")
    options = _provided(directory, own, another)
    assert pki.reasons(pki.run(options)) == {"superlink": "another certificate and key were brought"}
    _accepted(directory)


@pytest.mark.parametrize("survives", range(4))
def test_a_cut_while_taking_over_is_finished_by_the_next_run(directory: Path, own: OwnPki, survives: int) -> None:
    pki.run({**_provided(directory, own, own.leaf()), "supernodes": []})
    options = {**_provided(directory, own, own.leaf(name="another")), "supernodes": []}
    options["superlink"]["trust"] = str(_bundle(own, own.root, own.root))
    assert pki.run_cut(options, survives) is (survives < 3)
    pki.run(options)
    _accepted(directory)
    assert pki.run(options)["changed"] is False


def _bundle(own: OwnPki, *files: Path) -> Path:
    bundle = own.directory / "bundle.pem"
    bundle.write_bytes(b"".join(path.read_bytes() for path in files))
    return bundle


def test_a_provided_certificate_near_its_end_is_told(
    directory: Path, own: OwnPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = _provided(directory, own, own.leaf())
    assert "warnings" not in pki.run(options)
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=80))
    assert "cannot be issued anew here; bring a new one" in str(pki.run(options)["warnings"])
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=101))
    assert "expired on" in pki.run(options)["msg"]


# Requests


def test_a_request_is_signed_elsewhere(directory: Path, own: OwnPki) -> None:
    waiting = _options(directory, "request", own.root, certificate=directory.parent / "signed.pem")
    foretold = pki.run(waiting, check=True)
    assert not directory.exists()
    first = pki.run(waiting)
    assert foretold["changes"] == first["changes"]
    assert foretold["diff"]["after"]["request"] == first["diff"]["after"]["request"]
    assert first["request"] == {
        "path": f"{directory}/superlink.csr",
        "awaited": True,
        "reason": "there is none yet",
        "usable": False,
    }
    assert sorted(name for name in pki.contents(directory) if "/" not in name) == ["superlink.csr", "superlink.key"]
    text = pki.openssl("req", "-in", directory / "superlink.csr", "-noout", "-text", "-verify")
    assert "verify OK" in text.stderr
    wanted = "DNS:link.example.org, DNS:localhost, IP Address:192.0.2.10, IP Address:2001:DB8:0:0:0:0:0:10"
    assert f"{wanted}, IP Address:127.0.0.1, IP Address:127.0.0.2, IP Address:0:0:0:0:0:0:0:1" in text.stdout
    assert "TLS Web Server Authentication" in text.stdout
    before = pki.snapshot(directory)
    assert pki.run(waiting)["changed"] is False
    assert pki.snapshot(directory) == before

    signed = own.leaf(directory / "superlink.csr", name="signed")
    (directory.parent / "signed.pem").write_bytes(signed.read_bytes())
    result = pki.run(waiting)
    assert pki.reasons(result) == {"trust": "missing", "superlink": "missing"}
    assert result["request"]["awaited"] is False
    assert result["request"]["usable"] is True
    _accepted(directory)
    assert pki.contents(directory)["superlink.key"] == before["superlink.key"][0]
    assert pki.run(waiting)["changed"] is False


def test_a_changed_path_asks_for_another_certificate(directory: Path, own: OwnPki) -> None:
    options = _options(directory, "request", own.root)
    pki.run(options)
    signed = own.leaf(directory / "superlink.csr", name="signed")
    options["superlink"]["certificate"] = str(signed)
    pki.run(options)
    options["superlink"]["addresses"] = ["192.0.2.99"]
    moved = pki.run(options)
    assert pki.reasons(moved) == {"request": "names or addresses changed"}
    assert moved["request"]["awaited"] is True
    assert moved["request"]["usable"] is False
    assert moved["request"]["reason"].startswith("the one in place does not name IP:192.0.2.99")
    signed.write_bytes(own.leaf(directory / "superlink.csr", name="again", sans=f"{SANS},IP:192.0.2.99").read_bytes())
    assert pki.reasons(pki.run(options)) == {"superlink": "another certificate was brought"}
    assert pki.verify(directory / "trust.crt", directory / "superlink.crt", "-verify_ip", "192.0.2.99").returncode == 0


def test_a_wrong_answer_to_a_request_is_refused_and_what_is_in_place_stays(directory: Path, own: OwnPki) -> None:
    options = _options(directory, "request", own.root)
    pki.run(options)
    options["superlink"]["certificate"] = str(own.leaf(directory / "superlink.csr", name="signed"))
    pki.run(options)
    before = pki.snapshot(directory)
    options["superlink"]["certificate"] = str(own.leaf(name="foreign"))
    for check in (True, False):
        result = pki.run(options, check=check)
        assert result["failed"] is True
        assert "foreign.pem) does not belong to the key. Have " in result["msg"]
        assert "superlink.csr signed, and put the certificate there" in result["msg"]
    assert pki.snapshot(directory) == before


def test_a_lost_key_is_made_anew_and_asked_for(directory: Path, own: OwnPki) -> None:
    options = _options(directory, "request", own.root)
    pki.run(options)
    options["superlink"]["certificate"] = str(own.leaf(directory / "superlink.csr", name="signed"))
    pki.run(options)
    (directory / "superlink.key").unlink()
    lost = pki.run(options)
    assert pki.reasons(lost) == {"superlink key": "missing", "request": "missing"}
    assert lost["request"]["usable"] is False
    assert "does not belong to the key" in pki.run(options)["request"]["reason"]


def test_a_federation_moves_to_its_own_pki_without_a_gap(directory: Path, own: OwnPki) -> None:
    pki.run(pki.options(directory))
    before = pki.contents(directory)
    options = _options(directory, "request", own.root)
    waiting = pki.run(options)
    assert waiting["request"]["awaited"] is True
    assert waiting["request"]["usable"] is True
    assert {name: content for name, content in pki.contents(directory).items() if name != "superlink.csr"} == before
    options["superlink"]["certificate"] = str(own.leaf(directory / "superlink.csr", name="signed"))
    moved = pki.run(options)
    assert list(pki.reasons(moved)) == ["trust", "superlink"]
    assert "ca.key is not used any more" in str(moved["warnings"])
    _accepted(directory)
    back = pki.run(pki.options(directory))
    assert sorted(pki.reasons(back)) == ["request", "superlink", "trust"]
    assert not (directory / "superlink.csr").exists()
    _accepted(directory)


@pytest.mark.parametrize("survives", range(4))
def test_a_cut_while_asking_is_finished_by_the_next_run(directory: Path, own: OwnPki, survives: int) -> None:
    options = {**_options(directory, "request", own.root), "supernodes": []}
    assert pki.run_cut(options, survives) is (survives < 2)
    pki.run(options)
    assert pki.run(options)["changed"] is False
    assert "verify OK" in pki.openssl("req", "-in", directory / "superlink.csr", "-noout", "-verify").stderr
    key = pki.openssl("pkey", "-in", directory / "superlink.key", "-pubout").stdout
    assert key == pki.openssl("req", "-in", directory / "superlink.csr", "-noout", "-pubkey").stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rollover": "trust"}, "rollover is trust, but superlink.source is request"),
        ({"reissue_superlink": True}, "reissue_superlink is true, but superlink.source is request"),
        ({"superlink": {"trust": None}}, "source is request but all of the following are missing: trust"),
        (
            {"superlink": {"source": "provided"}},
            "source is provided but all of the following are missing: certificate, key",
        ),
    ],
)
def test_options_that_do_not_go_together(directory: Path, own: OwnPki, changes: dict[str, Any], message: str) -> None:
    options = _options(directory, "request", own.root)
    for name, value in changes.items():
        options[name] = {**options[name], **value} if isinstance(value, dict) else value
    options["superlink"] = {name: value for name, value in options["superlink"].items() if value is not None}
    assert message in pki.run(options)["msg"]
    assert not directory.exists()
