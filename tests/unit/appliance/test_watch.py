# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said and done between two boots. The units, the SuperLink and OneGate are fakes that answer in sequences."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from fact8ra_appliance import checks, judgement, machine, superlink_watch, watch
from fact8ra_appliance.judgement import Memory, Seen, decide
from fact8ra_appliance.offer import Offer, fingerprint, shown
from fact8ra_appliance.onegate import OneGateUnreachable
from fact8ra_appliance.report import State
from fact8ra_appliance.trouble import Trouble

ONLINE, OFFLINE = Seen("ONLINE", "fine"), Seen("OFFLINE", "gone")
BOOTED = Memory().after("ONLINE", "fine")


def sequence(memory: Memory, looks: Sequence[Seen], every: float = 30.0) -> tuple[list[str], list[str]]:
    """What is said and played in a sequence of looks."""
    said, played = [], []
    for at, seen in enumerate(looks):
        memory, decision = decide(memory, seen, 1000.0 + at * every)
        if decision.say:
            said.append(seen.state)
        if decision.play:
            played.append(decision.play)
    return said, played


class TestJudgement:
    """From looks to words and deeds."""

    def test_what_stays_as_it_was_is_not_said(self) -> None:
        assert sequence(BOOTED, [ONLINE] * 50) == ([], [])

    def test_one_bad_look_is_none(self) -> None:
        assert sequence(BOOTED, [OFFLINE, ONLINE, ONLINE, OFFLINE, ONLINE]) == ([], [])

    def test_two_in_a_row_are_said_once(self) -> None:
        assert sequence(BOOTED, [OFFLINE] * 10 + [ONLINE] * 10) == (["OFFLINE", "ONLINE"], [])

    def test_what_flaps_is_never_said(self) -> None:
        assert sequence(BOOTED, [OFFLINE, ONLINE] * 50) == ([], [])

    def test_another_reason_is_said_when_it_stays(self) -> None:
        other = Seen("OFFLINE", "another reason")
        assert sequence(BOOTED, [OFFLINE, OFFLINE, other, other, other])[0] == ["OFFLINE", "OFFLINE"]
        numbered = [Seen("OFFLINE", f"attempt {number}") for number in range(20)]
        assert sequence(BOOTED, numbered)[0] == ["OFFLINE"], "a message that changes with every look"

    def test_the_boot_step_is_played_with_pauses_that_grow(self) -> None:
        moved = Seen("OFFLINE", "moved", "moved 192.0.2.9:8443")
        day = 86400
        _said, played = sequence(BOOTED, [moved] * (day // 30))
        # At once, after a quarter of an hour, after an hour more.
        assert len(played) == 3

    def test_another_reason_does_not_wait_for_the_first_one(self) -> None:
        first, second = Seen("OFFLINE", "m", "moved a:1"), Seen("OFFLINE", "m", "moved b:1")
        assert sequence(BOOTED, [first] * 3 + [second] * 3)[1] == ["moved a:1", "moved b:1"]

    def test_a_reason_that_has_time_gets_it(self) -> None:
        down = Seen("OFFLINE", "nginx is failed", "units", 6)
        assert sequence(BOOTED, [down] * 5)[1] == []
        assert sequence(BOOTED, [down] * 5 + [ONLINE] + [down] * 5)[1] == []
        assert sequence(BOOTED, [down] * 6)[1] == ["units"]

    def test_nothing_to_tell_says_nothing(self) -> None:
        assert sequence(BOOTED, [Seen("", "")] * 5) == ([], [])

    def test_what_the_boot_says_begins_anew(self) -> None:
        memory, _decision = decide(BOOTED, OFFLINE, 0.0)
        fresh = memory.after("ONLINE", "fine again")
        assert (fresh.seen, fresh.fine, fresh.mine) == (("", "", 0), "fine again", False)
        assert memory.after("ONLINE", "fine") is memory

    def test_memory_is_kept_and_a_damaged_one_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.json"
        memory = dataclasses.replace(BOOTED, mended={"units": (2, 5.0)}, owed=True, address="192.0.2.1")
        judgement.save(path, memory)
        assert judgement.load(path) == memory
        path.write_text("{}")
        assert judgement.load(path) == Memory()


@functools.cache
def certificate(days: float) -> tuple[str, float]:
    """A self-signed authority that ends in so many days, in PEM, and when it does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a federation")])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    end = now + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode(), end.timestamp()


def outcome(given: Any) -> Any:
    """What a fake is to answer, raised where it is an exception."""
    if isinstance(given, Exception):
        raise given
    return given


class Machine:
    """A SuperNode: its files, and what is answered to it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, days: float = 3650) -> None:
        self.root = root
        self.answer: str | Trouble = "online"
        self.down: list[str] = []
        self.booting = False
        self.boot = "active"
        self.boots = 0
        self.offers: list[Offer] | Exception = []
        self.published: list[Mapping[str, str]] = []
        self.gate_silent = False
        self.gates = 0
        self.ca = certificate(days)[0]
        for name in ("etc/fact8ra", "etc/flower", "var/lib/fact8ra", "run/fact8ra", "run/one-context", "dev"):
            (root / name).mkdir(parents=True)
        self.context()
        self.image("supernode")
        self.page(State.ONLINE, "SuperNode vm-7 is online")
        pin = {"fingerprint": fingerprint(self.ca), "ca": self.ca, "how": "first", "accepted_at": 1}
        (root / "var/lib/fact8ra/pin.json").write_text(json.dumps(pin))
        machine.Keep(root).remember(superlink="192.0.2.1:8443")
        monkeypatch.setattr(watch.join, "status", self._status)
        monkeypatch.setattr(watch, "_public_key", lambda _root: "ecdsa-sha2-nistp384 AAAA")
        monkeypatch.setattr(watch, "why_offline", lambda: "the journal's reason")
        monkeypatch.setattr(watch.checks, "glance", lambda _root: None)
        monkeypatch.setattr(machine, "OneGate", lambda *_arguments: self._gate())
        self.now = 1000.0

    def context(self, **more: str) -> None:
        """Give a context."""
        given = {"ONEGATE_ENDPOINT": "http://192.0.2.254:5030", "TOKENTXT": "t", "VMID": "7"} | more
        text = "".join(f'export {name}="{value}"\n' for name, value in given.items())
        (self.root / "run/one-context/one_env").write_text(text)

    def image(self, kind: str) -> None:
        """Make it an image of a kind."""
        said = {
            "kind": kind,
            "flavour": "base" if kind == "supernode" else "",
            "version": "1",
            "flower_version": "1.41.0",
        }
        (self.root / "etc/fact8ra/appliance.json").write_text(json.dumps(said))

    def page(self, state: State, message: str) -> None:
        """Let the boot say something."""
        (self.root / "run/fact8ra/state.json").write_text(json.dumps({"state": str(state), "message": message}))

    @property
    def said(self) -> tuple[str, str]:
        """What stands in /run."""
        page = json.loads((self.root / "run/fact8ra/state.json").read_text())
        return page["state"], page["message"]

    def look(self, times: int = 2) -> Machine:
        """Let the timer elapse."""
        for _unused in range(times):
            self.now += 30
            watch.main(self.root, watch.Systemd(self._systemctl), lambda: self.now)
        return self

    def _status(self, found: Any, ca: str, public_key: str, seconds: float) -> str:
        assert (found.address, ca) == ("192.0.2.1:8443", self.ca)
        return str(outcome(self.answer))

    def _systemctl(self, command: list[str]) -> str:
        if command[1] == "restart":
            assert command[2:] == ["--no-block", "fact8ra-appliance.service"]
            self.boots += 1
            return ""
        units = [word for word in command if word.endswith(".service")]
        if units == [watch.BOOT]:
            return "activating\n" if self.booting else f"{self.boot}\n"
        return "\n\n".join("failed" if unit in self.down else "active" for unit in units) + "\n"

    def _gate(self) -> Any:
        self.gates += 1

        def service() -> Any:
            nodes = [
                SimpleNamespace(vm_id=at, attributes={"FLOWER_SUPERLINK": offer.encode()})
                for at, offer in enumerate(outcome(self.offers))
            ]
            return SimpleNamespace(roles={"superlink": nodes})

        def publish(attributes: Mapping[str, str]) -> None:
            if self.gate_silent:
                raise OneGateUnreachable("nobody there")
            self.published.append(attributes)

        gate = SimpleNamespace(service=service, publish=publish)
        gate.patient = lambda *_pauses: gate
        return gate

    def offer(self, address: str, port: int = 8443, ca: str = "") -> Offer:
        """What a SuperLink publishes."""
        pem = ca or self.ca
        return Offer(address, port, fingerprint(pem), pem, "onegate")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A SuperNode that has booted."""
    return Machine(tmp_path, monkeypatch)


GONE = Trouble("WAITING_FOR_SUPERLINK", "the SuperLink does not answer: 192.0.2.1:8443: timed out", again=True)


class TestSupernode:
    """A node between two boots."""

    def test_as_long_as_it_is_online_nobody_is_bothered(self, node: Machine) -> None:
        node.look(20)
        assert (node.published, node.boots, node.gates) == ([], 0, 0)
        assert node.said == ("ONLINE", "SuperNode vm-7 is online")

    def test_offline_is_said_with_the_reason_and_online_again_too(self, node: Machine) -> None:
        node.answer = "offline"
        node.look(3)
        assert node.said == (
            "OFFLINE",
            "The SuperLink 192.0.2.1:8443 says that this SuperNode is offline: the journal's reason",
        )
        node.answer = "online"
        node.look(3)
        assert node.said == ("ONLINE", "SuperNode vm-7 is online")
        assert [told["FLOWER_STATE"] for told in node.published] == ["OFFLINE", "ONLINE"]
        assert node.boots == 0

    def test_a_superlink_that_is_away_is_offline_and_nothing_is_played(self, node: Machine) -> None:
        node.answer = GONE
        node.look(10)
        assert node.said[0] == "OFFLINE"
        assert "does not answer" in node.said[1]
        assert node.boots == 0

    def test_a_superlink_that_cannot_say_just_now_changes_nothing(self, node: Machine) -> None:
        busy = watch.join.Busy("WAITING_FOR_SUPERLINK", "192.0.2.1:8443 answers 429", again=True)
        node.answer, node.offers = busy, [node.offer("192.0.2.9")]
        node.look(10)
        assert node.said == ("ONLINE", "SuperNode vm-7 is online")
        assert (node.published, node.boots, node.gates) == ([], 0, 0)
        # The units of this machine can be told all the same.
        node.down = ["flower-supernode.service"]
        node.look(2)
        assert node.said[0] == "OFFLINE"
        assert "flower-supernode.service is failed" in node.said[1]

    @pytest.mark.parametrize("place", [("192.0.2.9", 8443), ("192.0.2.1", 9443)])
    def test_a_superlink_that_moved_is_followed(self, node: Machine, place: tuple[str, int]) -> None:
        node.answer, node.offers = GONE, [node.offer(*place)]
        node.look(2)
        assert node.boots == 1
        assert node.said[0] == "OFFLINE"
        assert f"moved from 192.0.2.1:8443 to {place[0]}:{place[1]}" in node.said[1]
        node.look(10)
        assert node.boots == 1, "not again at once"

    def test_a_superlink_that_was_replaced_is_not(self, node: Machine) -> None:
        other = certificate(10)[0]
        node.answer, node.offers = GONE, [node.offer("192.0.2.9", ca=other)]
        node.look(10)
        assert (node.said[0], node.boots) == ("SUPERLINK_REPLACED", 0)
        for digest in (fingerprint(node.ca), fingerprint(other)):
            assert shown(digest) in node.said[1], "both fingerprints"
        assert "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT" in node.said[1], "the cure"
        assert fingerprint(node.ca) in (node.root / "var/lib/fact8ra/pin.json").read_text(), "the pin stays"
        node.answer, node.offers = "online", []
        node.look(2)
        assert node.said[0] == "ONLINE"

    def test_of_two_offers_the_pinned_one_counts(self, node: Machine) -> None:
        node.answer = GONE
        node.offers = [node.offer("192.0.2.66", ca=certificate(10)[0]), node.offer("192.0.2.9")]
        node.look(2)
        assert (node.said[0], node.boots) == ("OFFLINE", 1)

    def test_another_authority_at_the_address_is_said(self, node: Machine) -> None:
        node.answer = Trouble("SUPERLINK_REPLACED", "the SuperLink has the authority AA, and this SuperNode pinned BB")
        node.look(3)
        assert (node.said[0], node.boots) == ("SUPERLINK_REPLACED", 0)

    def test_where_the_context_has_the_address_onegate_is_not_asked(self, node: Machine) -> None:
        node.context(ONEAPP_FLOWER_SUPERLINK_ADDRESS="192.0.2.1")
        node.answer, node.offers = GONE, [node.offer("192.0.2.9")]
        node.look(10)
        assert (node.said[0], node.boots) == ("OFFLINE", 0)

    @pytest.mark.parametrize("silence", [OneGateUnreachable("nobody there"), []])
    def test_a_onegate_that_says_nothing_changes_nothing(self, node: Machine, silence: Any) -> None:
        node.answer, node.offers = GONE, silence
        node.look(3)
        assert (node.said[0], node.boots) == ("OFFLINE", 0)

    def test_a_key_that_was_unregistered_says_what_to_do(self, node: Machine) -> None:
        node.answer = "unregistered"
        node.look(3)
        assert node.said[0] == "JOIN_REFUSED"
        assert "remove /etc/flower/supernode.key" in node.said[1]
        assert node.boots == 0

    def test_a_superlink_that_forgot_it_is_joined_again(self, node: Machine) -> None:
        node.answer = "unknown"
        node.look(2)
        assert (node.said[0], node.boots) == ("OFFLINE", 1)

    def test_a_dead_superexec_is_offline_though_flower_says_online(self, node: Machine) -> None:
        node.down = ["flower-superexec-client.service"]
        node.look(3)
        assert node.said == (
            "OFFLINE",
            "flower-superexec-client.service is failed, so that no app trains here; journalctl -u of it says why",
        )
        node.look(3)
        assert node.boots == 1, "what systemd does not mend in three minutes, the boot step tries to"

    def test_an_authority_that_ends_is_said_in_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        node = Machine(tmp_path, monkeypatch, days=20).look(5)
        assert node.said[0] == "ONLINE"
        assert node.said[1].startswith("SuperNode vm-7 is online. The SuperLink's authority ends on 20")
        assert len(node.published) == 1

    def test_what_onegate_did_not_hear_is_told_again(self, node: Machine) -> None:
        node.answer, node.gate_silent = "offline", True
        node.look(4)
        assert node.published == []
        node.gate_silent = False
        node.look(3)
        assert [told["FLOWER_STATE"] for told in node.published] == ["OFFLINE"]

    def test_while_the_boot_step_is_at_work_nothing_is_said(self, node: Machine) -> None:
        node.answer, node.booting = "offline", True
        node.look(10)
        assert node.said[0] == "ONLINE"
        assert not (node.root / judgement.MEMORY).exists()

    @pytest.mark.parametrize("state", [State.NAME_TAKEN, State.CONFIGURE_FAILED, State.SUPERLINK_REPLACED])
    def test_what_stopped_the_boot_stands_and_is_tried_again_in_a_quarter_of_an_hour(
        self, node: Machine, state: State
    ) -> None:
        node.page(state, "what the boot said")
        node.look(29)
        assert (node.said, node.boots) == ((str(state), "what the boot said"), 0)
        node.look(1)
        assert node.boots == 1

    @pytest.mark.parametrize(
        ("state", "unit"),
        [
            (State.BOOTING, "inactive"),
            (State.CONFIGURING, "failed"),
            (State.JOINING, "failed"),
            (State.WAITING_FOR_SUPERLINK, "failed"),
        ],
    )
    def test_a_boot_step_that_was_killed_is_said_and_played_again(self, node: Machine, state: State, unit: str) -> None:
        node.page(state, "what the boot said")
        node.look(1)
        assert (node.said[0], node.boots) == (str(state), 0), "one look is none"
        node.boot = unit
        node.look(2)
        ended = ("CONFIGURE_FAILED", "The boot step ended without a word; it is tried again")
        assert (node.said, node.boots) == (ended, 1)
        assert [told.get("READY") for told in node.published] == ["NO"]
        node.look(29)
        assert (node.said, node.boots) == (ended, 1)
        # It is killed once more: the pause is a quarter of an hour, then an hour.
        node.page(state, "what the boot said")
        node.look(2)
        assert (node.said, node.boots) == (ended, 2)
        node.look(118)
        assert node.boots == 2
        node.look(2)
        assert node.boots == 3
        # One that goes well ends it.
        node.page(State.ONLINE, "SuperNode vm-7 is online")
        node.boot = "active"
        node.look(200)
        assert (node.said[0], node.boots) == ("ONLINE", 3)

    def test_a_boot_step_that_died_before_its_first_word(self, node: Machine) -> None:
        shutil.rmtree(node.root / "run/fact8ra", ignore_errors=True)
        node.boot = "inactive"
        node.look(5)
        assert node.boots == 0, "it has not begun"
        node.boot = "failed"
        node.look(2)
        assert (node.said[0], node.boots) == ("CONFIGURE_FAILED", 1)

    def test_a_boot_step_that_waits_is_left_alone(self, node: Machine) -> None:
        node.page(State.WAITING_FOR_SUPERLINK, "none yet")
        node.booting = True
        node.look(200)
        assert (node.said[0], node.boots) == ("WAITING_FOR_SUPERLINK", 0)

    def test_a_wrong_context_is_for_the_tenant_alone(self, node: Machine) -> None:
        node.page(State.CONTEXT_INVALID, "3 variables are refused")
        node.look(200)
        assert (node.said[0], node.boots) == ("CONTEXT_INVALID", 0)

    def test_a_disk_that_fills_up_is_said(self, node: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_root: Path) -> None:
            raise Trouble(State.DISK_FULL, "the disk is full")

        monkeypatch.setattr(watch.checks, "glance", full)
        node.look(2)
        assert node.said == ("DISK_FULL", "the disk is full")

    def test_a_node_that_joined_none_yet_says_nothing_new(self, node: Machine) -> None:
        machine.Keep(node.root).remember(superlink="*:8443")
        node.look(5)
        assert node.published == []

    def test_without_a_page_or_a_context_it_ends_well(self, node: Machine) -> None:
        (node.root / "run/one-context/one_env").unlink()
        node.look(3)
        assert node.said[0] == "CONTEXT_MISSING"
        (node.root / "run/fact8ra/state.json").unlink()
        node.look(2)


class TestSuperlink:
    """A SuperLink between two boots; addresses, units and nginx's answer are fakes."""

    @pytest.fixture
    def link(self, node: Machine, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        node.image("superlink")
        node.page(State.READY, "The SuperLink answers over TLS at 192.0.2.1, port 8443")
        state = SimpleNamespace(node=node, own="192.0.2.1", answers=None)

        def answers(made: Any) -> None:
            if state.answers:
                raise state.answers

        def end(days: float) -> None:
            (node.root / "etc/flower/superlink.crt").write_text(certificate(days)[0])

        state.end = end
        end(300)
        monkeypatch.setattr(machine, "addresses", lambda _context: machine.Addresses((state.own,), ("192.0.2.0/24",)))
        monkeypatch.setattr(superlink_watch.publish, "offer", lambda *arguments: arguments)
        monkeypatch.setattr(superlink_watch.publish, "answers", answers)
        return state

    def test_as_long_as_it_answers_nobody_is_bothered(self, link: SimpleNamespace) -> None:
        link.node.look(20)
        assert (link.node.published, link.node.boots) == ([], 0)

    def test_another_address_is_configured_and_published_by_the_boot_step(self, link: SimpleNamespace) -> None:
        link.node.look(2)
        link.own = "192.0.2.77"
        link.node.look(2)
        assert link.node.boots == 1
        assert link.node.said == (
            "OFFLINE",
            "The SuperLink's address changed from 192.0.2.1 to 192.0.2.77; certificate and OneGate follow",
        )
        link.node.page(State.READY, "The SuperLink answers over TLS at 192.0.2.77, port 8443")
        link.node.look(5)
        assert (link.node.said[0], link.node.boots) == ("READY", 1)

    def test_a_unit_that_is_down_is_named(self, link: SimpleNamespace) -> None:
        link.node.down = ["flower-superexec-server.service", "nginx.service"]
        link.node.look(2)
        assert link.node.said[0] == "OFFLINE"
        assert "flower-superexec-server.service is failed, nginx.service is failed" in link.node.said[1]
        link.node.look(4)
        assert link.node.boots == 1

    def test_an_answer_that_fails_is_said_and_mended(self, link: SimpleNamespace) -> None:
        link.answers = Trouble("CONFIGURE_FAILED", "the SuperLink does not answer a SuperNode: refused", again=True)
        link.node.look(6)
        assert link.node.said == ("OFFLINE", str(link.answers))
        assert link.node.boots == 1

    def test_a_certificate_that_ends_is_renewed_by_the_boot_step(self, link: SimpleNamespace) -> None:
        link.end(20)
        link.node.look(2)
        assert link.node.said[0] == "READY"
        assert "and is renewed" in link.node.said[1]
        assert link.node.boots == 1

    def test_one_that_the_context_gave_is_the_tenants_to_replace(
        self, link: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine, "variables", lambda *_arguments: {"pki_superlink_source": "provided"})
        monkeypatch.setattr(machine, "dialled", lambda *_arguments: "superlink.example")
        link.end(20)
        link.node.look(5)
        assert (link.node.said[0], link.node.boots) == ("READY", 0)
        assert "ONEAPP_FLOWER_TLS_CERTIFICATE" in link.node.said[1]


class TestGlance:
    """The disk of a service that runs; what is free is given by functions."""

    @pytest.mark.parametrize(
        ("flags", "blocks", "inodes", "state"),
        [
            (os.ST_RDONLY, 1 << 20, 10_000, State.DISK_READ_ONLY),
            (0, 100, 10_000, State.DISK_FULL),
            (0, 1 << 20, 10, State.DISK_FULL),
        ],
    )
    def test_becomes_a_state(self, tmp_path: Path, flags: int, blocks: int, inodes: int, state: State) -> None:
        found: Any = SimpleNamespace(f_flag=flags, f_frsize=4096, f_bavail=blocks, f_files=20_000, f_favail=inodes)
        with pytest.raises(Trouble) as caught:
            checks.glance(tmp_path, space=lambda _path: found)
        assert caught.value.state == state

    def test_a_good_disk_is_not_written_to(self, tmp_path: Path) -> None:
        checks.glance(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_the_context_of_a_device_is_mounted_once(node: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = []

    def read(_root: Path) -> Any:
        mounted.append(1)
        return SimpleNamespace(variables={"VMID": "7"}, source="device")

    monkeypatch.setattr(watch.contexts, "read", read)
    node.look(5)
    assert len(mounted) == 1
    assert (node.root / "run/fact8ra/context.json").stat().st_mode & 0o777 == 0o600


def test_systemd_is_asked_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], **_more: Any) -> Any:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "active\n\nfailed\n", "")

    monkeypatch.setattr(watch.subprocess, "run", run)
    assert watch.Systemd().down("a.service", "b.service") == ["b.service is failed"]
    assert len(asked) == 1
