# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The CA's replacement in three steps, judged by openssl and by TLS handshakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pki
import pytest

STEPS = ["trust", "switch", "drop"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "pki"


def _options(directory: Path, rollover: str = "none", **changes: Any) -> dict[str, Any]:
    return pki.options(directory, rollover=rollover, supernodes=[], **changes)


def _judge(directory: Path, trust: bytes, leaf: bytes, key: bytes) -> tuple[bool, bool]:
    """Whether openssl, and a handshake, accept a leaf of one phase under the bundle of another."""
    files = directory.parent / "judged"
    files.mkdir(exist_ok=True)
    for name, content in (("trust", trust), ("leaf", leaf), ("key", key)):
        (files / name).write_bytes(content)
    verified = pki.verify(files / "trust", files / "leaf", "-verify_hostname", "link.example.org").returncode == 0
    return verified, pki.shaken(files / "trust", files / "leaf", files / "key", "link.example.org") == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"key_type": "rsa", "key_size": 3072}, {"key_type": "ec"}),
        ({}, {"key_type": "rsa", "key_size": 3072}),
        ({}, {"common_name": "new CA", "curve": "P-521"}),
    ],
    ids=["same name and type", "rsa to ec", "ec to rsa", "another name and curve"],
)
def test_every_leaf_verifies_under_the_bundles_of_its_time(
    directory: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    pki.run(_options(directory, ca=before))
    phases = {"none": pki.contents(directory)}
    for step in STEPS:
        result = pki.run(_options(directory, step, ca=after))
        assert result["changed"] is True
        phases[step] = pki.contents(directory)
    key = phases["none"]["superlink.key"]
    assert {phase["superlink.key"] for phase in phases.values()} == {key}
    assert phases["none"]["superlink.crt"] == phases["trust"]["superlink.crt"]
    assert phases["switch"]["superlink.crt"] == phases["drop"]["superlink.crt"]
    assert phases["trust"]["trust.crt"] == phases["switch"]["trust.crt"]
    accepted = {
        (trust, leaf): _judge(directory, phases[trust]["trust.crt"], phases[leaf]["superlink.crt"], key)
        for trust in phases
        for leaf in ("none", "switch")
    }
    assert accepted == {
        ("none", "none"): (True, True),
        ("none", "switch"): (False, False),
        ("trust", "none"): (True, True),
        ("trust", "switch"): (True, True),
        ("switch", "none"): (True, True),
        ("switch", "switch"): (True, True),
        ("drop", "none"): (False, False),
        ("drop", "switch"): (True, True),
    }


def test_each_phase_says_where_it_is_and_holds_what_it_says(directory: Path) -> None:
    first = pki.run(_options(directory))
    assert first["rollover"] == {"phase": "none"}
    old = pki.contents(directory)
    trust = pki.run(_options(directory, "trust"))
    assert pki.reasons(trust) == {
        "ca_next": "asked for by rollover: trust",
        "trust": "does not hold the certificates of both CAs",
    }
    assert trust["rollover"] == {"phase": "trust"}
    assert trust["ca"] == first["ca"]
    assert trust["ca_next"]["fingerprint_sha256"] != first["ca"]["fingerprint_sha256"]
    assert [found["fingerprint_sha256"] for found in trust["trust"]] == [
        trust["ca"]["fingerprint_sha256"],
        trust["ca_next"]["fingerprint_sha256"],
    ]
    key = directory / "ca.next.key"
    assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert key.stat().st_mode & 0o777 == 0o600
    assert pki.openssl("pkey", "-in", key, "-noout", "-passin", "stdin", input=pki.PASSPHRASE).returncode == 0
    next_key = key.read_bytes()

    switch = pki.run(_options(directory, "switch"))
    assert pki.reasons(switch) == {"ca": "asked for by rollover: switch", "superlink": "was issued by another CA"}
    assert switch["rollover"] == {"phase": "switch"}
    assert switch["ca"]["fingerprint_sha256"] == trust["ca_next"]["fingerprint_sha256"]
    assert switch["ca_previous"]["fingerprint_sha256"] == first["ca"]["fingerprint_sha256"]
    held = pki.contents(directory)
    assert sorted(held) == ["ca.crt", "ca.key", "ca.previous.crt", "superlink.crt", "superlink.key", "trust.crt"]
    assert old["ca.key"] not in held.values()
    public = pki.openssl(
        "pkey", "-in", directory / "ca.key", "-pubout", "-passin", "stdin", input=pki.PASSPHRASE
    ).stdout
    assert public == pki.openssl("x509", "-in", directory / "ca.crt", "-noout", "-pubkey").stdout
    assert next_key != old["ca.key"]

    drop = pki.run(_options(directory, "drop"))
    assert pki.reasons(drop) == {
        "ca_previous": "asked for by rollover: drop",
        "trust": "does not hold the CA's certificate alone",
    }
    assert drop["rollover"] == {"phase": "none"}
    assert drop["superlink"] == switch["superlink"]
    assert sorted(pki.contents(directory)) == ["ca.crt", "ca.key", "superlink.crt", "superlink.key", "trust.crt"]
    assert (directory / "trust.crt").read_bytes() == (directory / "ca.crt").read_bytes() != old["ca.crt"]


def test_check_mode_foretells_each_step_and_writes_nothing(directory: Path) -> None:
    pki.run(_options(directory))
    for step in STEPS:
        before = pki.snapshot(directory)
        foretold = pki.run(_options(directory, step), check=True)
        assert pki.snapshot(directory) == before
        done = pki.run(_options(directory, step))
        assert foretold["changes"] == done["changes"]
        assert foretold["diff"]["before"] == done["diff"]["before"]
        for name in ("rollover", "request", "supernodes", "modes"):
            assert foretold["diff"]["after"][name] == done["diff"]["after"][name]
        for name in ("ca", "ca_next", "ca_previous", "superlink"):
            expected, found = foretold["diff"]["after"][name], done["diff"]["after"][name]
            assert (expected is None) == (found is None)
            assert expected is None or expected["path"] == found["path"]
        assert len(foretold["diff"]["after"]["trust"]) == len(done["diff"]["after"]["trust"])


@pytest.mark.parametrize("done", [[], ["trust"], ["trust", "switch"], STEPS], ids=["none", "trust", "switch", "drop"])
def test_a_step_that_is_done_changes_nothing(directory: Path, done: list[str]) -> None:
    pki.run(_options(directory))
    for step in done:
        pki.run(_options(directory, step))
    before = pki.snapshot(directory)
    idle = {
        "": ["none", "drop"],
        "trust": ["none", "trust"],
        "switch": ["none", "trust", "switch"],
        "drop": ["none", "drop"],
    }
    for step in idle[done[-1] if done else ""]:
        assert pki.run(_options(directory, step))["changed"] is False
    assert pki.snapshot(directory) == before


@pytest.mark.parametrize(
    ("done", "step", "message"),
    [
        ([], "switch", "has no next CA; begin with rollover: trust"),
        (["trust"], "drop", "the next CA does not issue yet"),
        (STEPS, "switch", "has no next CA; begin with rollover: trust"),
    ],
)
def test_steps_out_of_order_are_refused(directory: Path, done: list[str], step: str, message: str) -> None:
    pki.run(_options(directory))
    for earlier in done:
        pki.run(_options(directory, earlier))
    before = pki.snapshot(directory)
    for check in (True, False):
        assert message in pki.run(_options(directory, step), check=check)["msg"]
    assert pki.snapshot(directory) == before


@pytest.mark.parametrize("step", ["trust", "switch"])
def test_there_must_be_a_ca_to_replace(directory: Path, step: str) -> None:
    assert "has no CA to replace" in pki.run(_options(directory, step))["msg"]
    assert not list(directory.rglob("*"))


def test_a_switch_is_refused_while_the_bundle_lacks_the_next_ca(directory: Path) -> None:
    pki.run(_options(directory))
    trusted = (directory / "trust.crt").read_bytes()
    pki.run(_options(directory, "trust"))
    (directory / "trust.crt").write_bytes(trusted)
    assert "trust.crt does not hold both CAs" in pki.run(_options(directory, "switch"))["msg"]
    assert pki.reasons(pki.run(_options(directory))) == {"trust": "does not hold the certificates of both CAs"}
    assert pki.run(_options(directory, "switch"))["changed"] is True


def test_a_drop_is_refused_while_the_old_ca_s_leaf_is_in_place(directory: Path) -> None:
    pki.run(_options(directory))
    leaf = (directory / "superlink.crt").read_bytes()
    for step in ("trust", "switch"):
        pki.run(_options(directory, step))
    (directory / "superlink.crt").write_bytes(leaf)
    assert "superlink.crt is still of the previous CA" in pki.run(_options(directory, "drop"))["msg"]
    assert pki.reasons(pki.run(_options(directory))) == {"superlink": "was issued by another CA"}
    assert pki.run(_options(directory, "drop"))["rollover"] == {"phase": "none"}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("retry", ["same", "none"])
def test_a_cut_in_any_step_is_finished_by_the_next_run(directory: Path, step: str, retry: str) -> None:
    pki.run(_options(directory))
    for earlier in STEPS[: STEPS.index(step)]:
        pki.run(_options(directory, earlier))
    begin = pki.contents(directory)
    phase_before = {"trust": "none", "switch": "trust", "drop": "switch"}[step]
    phase_after = {"trust": "trust", "switch": "switch", "drop": "none"}[step]
    survives, phases = 0, []
    while pki.run_cut(_options(directory, step), survives):
        assert pki.verify(directory / "trust.crt", directory / "superlink.crt").returncode == 0
        again = pki.run(_options(directory, step if retry == "same" else "none"))
        phases.append(again["rollover"]["phase"])
        assert pki.verify(directory / "trust.crt", directory / "superlink.crt").returncode == 0
        assert pki.run(_options(directory))["changed"] is False
        if phases[-1] == phase_before:
            pki.run(_options(directory, step))
        whole = pki.contents(directory)
        assert sorted(whole) == _files(phase_after)
        assert pki.run(_options(directory, step))["changed"] is False
        pki.restore(directory, begin)
        survives += 1
    assert survives == {"trust": 3, "switch": 6, "drop": 2}[step]
    # What was not begun stays undone by V(none); what was begun is finished by it.
    begun = {"trust": 2, "switch": 1, "drop": 1}[step]
    expected = [phase_after] * survives
    if retry == "none":
        expected[:begun] = [phase_before] * begun
    assert phases == expected


def _files(phase: str) -> list[str]:
    more = {"none": [], "trust": ["ca.next.crt", "ca.next.key"], "switch": ["ca.previous.crt"]}[phase]
    return sorted(["ca.crt", "ca.key", "superlink.crt", "superlink.key", "trust.crt", *more])


def test_a_drop_before_a_switch_that_was_cut_is_refused(directory: Path) -> None:
    pki.run(_options(directory))
    pki.run(_options(directory, "trust"))
    assert pki.run_cut(_options(directory, "switch"), 2)
    assert "the switch to the next CA was cut short" in pki.run(_options(directory, "drop"))["msg"]


@pytest.mark.parametrize(("done", "issuer"), [(["trust"], "ca"), (["trust", "switch"], "ca")])
def test_a_leaf_renewed_in_the_middle_is_of_the_ca_that_issues(
    directory: Path, monkeypatch: pytest.MonkeyPatch, done: list[str], issuer: str
) -> None:
    pki.run(_options(directory))
    for step in done:
        pki.run(_options(directory, step))
    old = pki.contents(directory)
    moved = _options(directory, superlink={"names": ["moved.example.org"]})
    assert list(pki.reasons(pki.run(moved))) == ["superlink"]
    assert (
        pki.verify(
            directory / "ca.crt", directory / "superlink.crt", "-verify_hostname", "moved.example.org"
        ).returncode
        == 0
    )
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=380))
    assert list(pki.reasons(pki.run(moved))) == ["superlink"]
    assert pki.verify(directory / "ca.crt", directory / "superlink.crt", "-no_check_time").returncode == 0
    changed = {name for name, content in pki.contents(directory).items() if old[name] != content}
    assert changed == {"superlink.crt"}


def test_the_declaration_is_that_of_the_newest_ca(directory: Path) -> None:
    pki.run(_options(directory))
    new = {"common_name": "new CA", "curve": "P-256"}
    assert "replace it by rollover: trust, then switch, then drop" in pki.run(_options(directory, ca=new))["msg"]
    pki.run(_options(directory, "trust", ca=new))
    for step in ("none", "trust", "switch"):
        message = pki.run(_options(directory, step))["msg"]
        assert "ca.common_name is 'poc CA', but the CA at" in message
        assert "remove ca.next.crt and ca.next.key and begin anew" in message
    assert pki.run(_options(directory, ca=new))["changed"] is False


def test_a_rollover_can_be_given_up(directory: Path) -> None:
    pki.run(_options(directory))
    begin = pki.contents(directory)
    pki.run(_options(directory, "trust", ca={"common_name": "a mistake"}))
    (directory / "ca.next.crt").unlink()
    (directory / "ca.next.key").unlink()
    assert pki.reasons(pki.run(_options(directory))) == {"trust": "does not hold the CA's certificate alone"}
    assert pki.contents(directory) == begin


def test_an_expired_ca_is_replaced_by_the_same_steps(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pki.run(_options(directory, ca={"validity_days": 100}))
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=101))
    message = pki.run(_options(directory))["msg"]
    assert "expired on" in message
    assert "replace it by rollover: trust, then switch, then drop" in message
    trust = pki.run(_options(directory, "trust"))
    assert "the SuperLink's certificate is not issued (expires on" in str(trust["warnings"])
    assert list(pki.reasons(trust)) == ["ca_next", "trust"]
    assert pki.run(_options(directory, "trust"))["changed"] is False
    assert "go on with rollover: switch" in pki.run(_options(directory))["msg"]
    assert pki.run(_options(directory, "switch"))["rollover"] == {"phase": "switch"}
    assert pki.run(_options(directory, "drop"))["rollover"] == {"phase": "none"}


def test_a_ca_near_its_end_points_to_its_replacement(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"ca": {"validity_days": 500}}
    assert "warnings" not in pki.run(_options(directory, **options))
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=200))
    assert "rollover: trust, then switch, then drop" in str(pki.run(_options(directory, **options))["warnings"])
    pki.run(_options(directory, "trust"))
    assert "plan its replacement: go on with rollover: switch" in str(pki.run(_options(directory))["warnings"])
    assert "warnings" not in pki.run(_options(directory, "switch"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda d: (d / "ca.next.key").write_bytes((d / "ca.key").read_bytes()),
            "ca.next.crt and ca.next.key do not belong",
        ),
        (lambda d: (d / "ca.next.key").unlink(), "ca.next.crt and ca.next.key do not belong together"),
        (
            lambda d: (d / "ca.next.crt").write_bytes((d / "superlink.crt").read_bytes()),
            "ca.next.crt is not the certificate of a CA",
        ),
        (lambda d: (d / "ca.next.crt").write_text("x"), "ca.next.crt is not a certificate in PEM"),
    ],
)
def test_a_damaged_next_ca_never_becomes_the_one_that_issues(directory: Path, damage: Any, message: str) -> None:
    pki.run(_options(directory))
    pki.run(_options(directory, "trust"))
    damage(directory)
    before = pki.snapshot(directory)
    for step in ("none", "trust", "switch"):
        assert message in pki.run(_options(directory, step))["msg"]
    assert pki.snapshot(directory) == before


def test_a_forced_leaf_is_the_leaf_alone(directory: Path) -> None:
    pki.run(_options(directory))
    before = pki.contents(directory)
    options = _options(directory, reissue_superlink=True)
    foretold = pki.run(options, check=True)
    first = pki.run(options)
    assert (
        foretold["changes"] == first["changes"] == [{"object": "superlink", "reason": "asked for by reissue_superlink"}]
    )
    assert {name for name, content in pki.contents(directory).items() if before[name] != content} == {"superlink.crt"}
    second = pki.run(options)
    assert second["changed"] is True
    assert second["superlink"]["serial"] != first["superlink"]["serial"]
    assert pki.run(_options(directory))["changed"] is False


def test_days_and_seconds_that_a_certificate_has_left(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pki.run(_options(directory))
    assert (first["superlink"]["days_left"], first["ca"]["days_left"]) == (397, 3650)
    end = pki.openssl("x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", directory / "superlink.crt").stdout
    written = datetime.fromtimestamp(first["superlink"]["not_after_timestamp"], UTC)
    assert end.strip() == f"notAfter={written:%Y-%m-%d %H:%M:%SZ}"
    pki.at(monkeypatch, datetime.now(UTC) + timedelta(days=360, hours=1))
    assert pki.run(_options(directory))["superlink"]["days_left"] == 36


def test_absent_removes_a_rollover_too(directory: Path) -> None:
    pki.run(_options(directory))
    pki.run(_options(directory, "trust"))
    pki.run({"directory": str(directory), "state": "absent"})
    assert not directory.exists()
