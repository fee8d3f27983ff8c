# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Every boot ends in a state that the tenant sees; what time can mend is tried again, what it cannot is not.

What is played, the SuperLink and its answers are stand-ins here; molecule, QEMU and the lab have the real ones.
"""

from __future__ import annotations

import errno
import itertools
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from servers import Reply, Request, closed_port, http_server, own_authority

from fact8ra_appliance import boot, checks, discovery, identity, join, machine, publish, trust
from fact8ra_appliance.apply import ApplyFailed
from fact8ra_appliance.offer import Offer
from fact8ra_appliance.onegate import OneGate
from fact8ra_appliance.report import Reporter, State
from fact8ra_appliance.trouble import Trouble

TOKEN = "abcdefghijklmnopqrstuvwxyz"
LISTED = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {
            "ifname": "eth0",
            "addr_info": [
                {"local": "fd00::7", "prefixlen": 64, "scope": "global"},
                {"local": "192.0.2.9", "prefixlen": 24, "scope": "global"},
                {"local": "192.0.2.7", "prefixlen": 24, "scope": "global"},
                {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
            ],
        },
    ]
)


class WaitsForEver(BaseException):
    """Ends a boot that would wait on; no error that a boot could take for its own."""


@dataclass
class World:
    """A VM below a directory, and what happens around it."""

    root: Path
    played: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    states: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    published: int = 0
    reopened: int = 0

    def image(self, kind: str) -> None:
        """Write the image's description."""
        (self.root / "etc/fact8ra").mkdir(parents=True, exist_ok=True)
        said = {"kind": kind, "flavour": "base", "flower_version": "1.41.0", "flower_packages": ["numpy"]}
        (self.root / machine.APPLIANCE).write_text(json.dumps(said))

    def context(self, **variables: str) -> None:
        """Write the context."""
        path = self.root / "run/one-context/one_env"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))

    def play(
        self, playbook: str, group: str, name: str, variables: dict[str, Any], *, skip: Sequence[str] = (), root: Path
    ) -> None:
        """Stand in for Ansible: fail as told, else remember."""
        if self.failures:
            raise self.failures.pop(0)
        self.played.append((group, name, dict(variables), tuple(skip)))

    def boot(self, gate: OneGate | None = None, after: Callable[[], None] | None = None, most: int = 12) -> int:
        """Boot; ``after`` is called at each wait, and more waits than ``most`` end the test."""

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            if len(self.slept) >= most:
                raise WaitsForEver(self.states[-1])
            if after:
                after()

        def reopen() -> None:
            self.reopened += 1

        reporter = Recording(self, gate)
        return boot.Boot(self.root, self.play, sleep, lambda: float(len(self.slept)), reporter, reopen).run()

    @property
    def state(self) -> dict[str, Any]:
        """What the machine says of itself."""
        found: dict[str, Any] = json.loads((self.root / "run/fact8ra/state.json").read_text())
        return found


class Recording(Reporter):
    """Keeps what is said, in order."""

    def __init__(self, world: World, gate: OneGate | None) -> None:
        super().__init__(gate, world.root, world.root / "console")
        self._world = world

    def say(self, state: State, message: str, problems: Sequence[Any] = ()) -> None:
        self._world.states.append((str(state), message))
        super().say(state, message, problems)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A VM whose clock is right and whose SuperLink answers."""
    made = World(tmp_path)
    ca = own_authority(tmp_path)[0].read_text()
    monkeypatch.setattr(machine, "_listed", lambda: LISTED)
    monkeypatch.setattr(checks, "clock", lambda *_args, **_keywords: None)
    monkeypatch.setattr(publish, "offer", lambda address, port, *_files: Offer(address, port, "ab" * 32, ca, "onegate"))
    monkeypatch.setattr(publish, "answers", lambda _offer: None)

    def told(_gate: Any, _offer: Offer) -> None:
        _gate.publish({"FLOWER_SUPERLINK": "x"})
        made.published += 1

    monkeypatch.setattr(publish, "publish", told)
    me = identity.Identity("vm-7-abcdef", "ecdsa-sha2-nistp384 AAAA")
    monkeypatch.setattr(identity, "ensure", lambda *_arguments: me)
    joined = join.Joined(me.name, "1", ca, "ab" * 32, trust.Mode.TOKEN, first=False)
    monkeypatch.setattr(join, "join", lambda *_arguments, **_keywords: joined)
    monkeypatch.setattr(join, "status", lambda *_arguments: "online")
    return made


@contextmanager
def onegate(status: int = 200, vm_id: int = 7) -> Iterator[tuple[OneGate, dict[str, str]]]:
    """A OneGate that keeps what VM 7 publishes; another status refuses, another id is foreign."""
    kept: dict[str, str] = {}

    def respond(request: Request) -> Reply:
        if status != 200:
            return status, b"no"
        if request.method == "PUT":
            for line in request.body.decode().splitlines():
                name, _sign, value = line.partition("=")
                kept[name] = value.strip('"')
        return 200, json.dumps({"VM": {"ID": str(vm_id), "USER_TEMPLATE": kept}}).encode()

    with http_server(respond) as server:
        yield OneGate(server.url, "t", 7, 2, (), lambda _seconds: None), kept


# ------------------------------------------------------------------------------------------------------------ SuperLink


class TestSuperLink:
    @pytest.fixture(autouse=True)
    def _image(self, world: World) -> None:
        world.image("superlink")
        world.context(VMID="7", ETH0_IP="192.0.2.7", ONEAPP_FLOWER_JOIN_TOKEN=TOKEN)

    def test_it_is_ready_and_says_so(self, world: World) -> None:
        with onegate() as (gate, kept):
            assert world.boot(gate) == 0
        assert [state for state, _message in world.states] == ["BOOTING", "CONFIGURING", "READY"]
        assert (kept["FLOWER_STATE"], kept["READY"], kept["FLOWER_SUPERLINK"]) == ("READY", "YES", "x")
        assert world.slept == []

    def test_the_roles_are_told_what_the_image_and_the_machine_are(self, world: World) -> None:
        world.boot()
        group, name, variables, skipped = world.played[0]
        assert (group, name, skipped) == ("superlink", boot.SUPERLINK, ())
        assert variables["flower_packages"] == ["numpy"]
        assert variables["pki_superlink_addresses"] == ["192.0.2.7", "192.0.2.9", "fd00::7"]
        assert variables["firewall_admin_sources"] == ["192.0.2.0/24", "fd00::/64"]
        assert variables["superlink_join_token"] == TOKEN
        assert not [name for name in variables if name.startswith("appliance_")]

    def test_what_the_context_says_comes_first(self, world: World) -> None:
        world.context(
            VMID="7",
            ONEAPP_FLOWER_JOIN_TOKEN=TOKEN,
            ONEAPP_FLOWER_ADMIN_SOURCES="198.51.100.0/24",
            ONEAPP_FLOWER_SUPERLINK_NAMES="fl.example.org 198.51.100.9",
            ONEAPP_FLOWER_LOG_LEVEL="DEBUG",
        )
        world.boot()
        variables = world.played[0][2]
        assert variables["firewall_admin_sources"] == ["198.51.100.0/24"]
        assert variables["pki_superlink_names"] == ["fl.example.org"]
        assert variables["pki_superlink_addresses"][-1] == "198.51.100.9"
        assert variables["flower_environment"] == {"FLWR_LOG_LEVEL": "DEBUG"}

    def test_the_passphrase_is_made_once_and_is_for_root_alone(self, world: World) -> None:
        world.boot()
        world.boot()
        first, second = (variables["pki_ca_passphrase"] for _group, _name, variables, _skip in world.played)
        assert first == second
        assert (world.root / "var/lib/fact8ra/ca.passphrase").stat().st_mode & 0o777 == 0o600
        assert (world.root / "var/lib/fact8ra").stat().st_mode & 0o777 == 0o700

    def test_a_ca_whose_passphrase_is_gone_is_not_replaced(self, world: World) -> None:
        pki = world.root / "var/lib/fact8ra/pki"
        pki.mkdir(parents=True)
        (pki / "ca.key").touch()
        assert world.boot() == 1
        assert world.state["state"] == "CONFIGURE_FAILED"
        assert "restore it" in world.state["message"]
        assert world.played == []

    def test_a_context_that_is_wrong_names_every_variable_and_ends(self, world: World) -> None:
        world.context(
            VMID="7", ONEAPP_FLOWER_FLEET_PORT="x", ONEAPP_FLOWER_JOIN_TOKEN="short", ONEAPP_FLOWER_FLEETPORT="1"
        )
        with onegate() as (gate, kept):
            assert world.boot(gate) == 1
        assert kept["FLOWER_STATE"] == "CONTEXT_INVALID"
        assert kept["READY"] == "NO"
        named = {problem["variable"] for problem in world.state["problems"]}
        assert named == {"ONEAPP_FLOWER_FLEET_PORT", "ONEAPP_FLOWER_JOIN_TOKEN", "ONEAPP_FLOWER_FLEETPORT"}
        assert (world.played, world.slept) == ([], [])

    @pytest.mark.parametrize("earlier", ["YES", ""])
    def test_a_vm_that_was_ready_and_fails_at_its_next_boot_is_not_ready(self, world: World, earlier: str) -> None:
        with onegate() as (gate, kept):
            kept.update({"READY": earlier} if earlier else {})
            world.failures = [ApplyFailed("no space for the pool", "pki : Issue")] * 3
            assert world.boot(gate) == 1
            assert (kept["FLOWER_STATE"], kept["READY"]) == ("CONFIGURE_FAILED", "NO")
            assert world.boot(gate) == 0
            assert (kept["FLOWER_STATE"], kept["READY"]) == ("READY", "YES")

    def test_what_is_tried_again_withdraws_nothing(self, world: World) -> None:
        world.failures = [ApplyFailed("once", "x")]
        seen: list[str] = []
        with onegate() as (gate, kept):
            kept["READY"] = "YES"
            assert world.boot(gate, after=lambda: seen.append(kept["READY"])) == 0
        assert seen == ["YES"]

    def test_nobody_could_join(self, world: World) -> None:
        world.context(VMID="7")
        assert world.boot() == 1
        assert world.state["state"] == "TOKEN_MISSING"
        assert world.state["problems"][0]["variable"] == "ONEAPP_FLOWER_JOIN_TOKEN"

    def test_a_task_that_fails_is_told_in_its_own_words_and_tried_a_few_times(self, world: World) -> None:
        world.failures = [ApplyFailed("no space for the pool", "pki : Issue")] * 3
        assert world.boot() == 1
        assert world.state["state"] == "CONFIGURE_FAILED"
        assert "pki : Issue: no space for the pool" in world.state["message"]
        assert len(world.slept) == boot.PATIENCE - 1
        assert world.reopened == 0

    def test_nobody_gets_in_before_the_roles_were_played(self, world: World) -> None:
        assert (world.boot(), world.reopened) == (0, 1)
        world.context(VMID="7", ONEAPP_FLOWER_FLEET_PORT="x")
        assert (world.boot(), world.reopened) == (1, 1)

    def test_a_boot_goes_on_after_a_failure_that_passed(self, world: World) -> None:
        world.failures = [ApplyFailed("once", "x"), RuntimeError("twice")]
        assert world.boot() == 0
        assert world.state["state"] == "READY"

    @pytest.mark.parametrize(
        ("number", "state"),
        [(errno.ENOSPC, "DISK_FULL"), (errno.EROFS, "DISK_READ_ONLY"), (errno.EIO, "CONFIGURE_FAILED")],
    )
    def test_a_disk_that_cannot_be_written(self, world: World, number: int, state: str) -> None:
        world.failures = [OSError(number, "cannot", "/var/lib/x")] * 3
        assert world.boot() == 1
        assert world.state["state"] == state

    def test_no_context_is_waited_for_a_little(self, world: World) -> None:
        (world.root / "run/one-context/one_env").unlink()
        assert world.boot() == 1
        assert world.state["state"] == "CONTEXT_MISSING"

    def test_a_context_that_comes_late(self, world: World) -> None:
        (world.root / "run/one-context/one_env").unlink()
        assert world.boot(after=lambda: world.context(VMID="7", ONEAPP_FLOWER_JOIN_TOKEN=TOKEN)) == 0

    def test_an_image_of_somebody_else(self, world: World) -> None:
        (world.root / machine.APPLIANCE).write_text('{"kind": "router", "flower_version": "1"}')
        assert world.boot() == 1
        assert "superlink or supernode" in world.state["message"]

    @pytest.mark.parametrize(
        ("status", "vm_id", "state"),
        [(401, 7, "ONEGATE_REFUSED"), (503, 7, "ONEGATE_UNREACHABLE"), (200, 8, "ONEGATE_FOREIGN")],
    )
    def test_a_onegate_that_does_not_take_it_is_a_state_and_is_insisted_on(
        self, world: World, status: int, vm_id: int, state: str
    ) -> None:
        with onegate(status, vm_id) as (gate, _kept), pytest.raises(WaitsForEver):
            world.boot(gate)
        assert world.state["state"] == state
        assert "The SuperLink answers over TLS" in world.state["message"]
        assert len(world.played) == 1

    def test_a_onegate_that_comes_back_is_told(self, world: World) -> None:
        with onegate() as (gate, kept):
            late = OneGate(f"http://127.0.0.1:{closed_port()}", "t", 7, 1, (), lambda _seconds: None)

            def back() -> None:
                late.endpoint = gate.endpoint

            assert world.boot(late, after=back) == 0
            assert (kept["READY"], kept["FLOWER_STATE"]) == ("YES", "READY")


# ------------------------------------------------------------------------------------------------------------ SuperNode


class TestSuperNode:
    @pytest.fixture(autouse=True)
    def _image(self, world: World) -> None:
        world.image("supernode")
        world.context(VMID="7", ONEAPP_FLOWER_JOIN_TOKEN=TOKEN, ONEAPP_FLOWER_SUPERLINK_ADDRESS="192.0.2.1:9443")

    def test_it_joins_and_is_online(self, world: World) -> None:
        with onegate() as (gate, kept):
            assert world.boot(gate) == 0
        assert [state for state, _message in world.states] == ["BOOTING", "JOINING", "CONFIGURING", "ONLINE"]
        group, name, variables, skipped = world.played[0]
        assert (group, name, skipped) == ("supernodes", "vm-7-abcdef", ())
        assert variables["supernode_superlink_address"] == "192.0.2.1"
        assert variables["supernode_superlink_port"] == 9443
        assert variables["supernode_keys"] == "node"
        assert (kept["FLOWER_STATE"], kept["READY"]) == ("ONLINE", "YES")
        assert (world.root / "var/lib/fact8ra/pki/trust.crt").exists()

    def test_a_silent_onegate_keeps_nobody_from_being_online_who_does_not_need_it(self, world: World) -> None:
        late = OneGate(f"http://127.0.0.1:{closed_port()}", "t", 7, 1, (), lambda _seconds: None)
        with pytest.raises(WaitsForEver):
            world.boot(late)
        assert world.state["state"] == "ONLINE"
        assert "does not answer" in world.state["onegate"]

    def test_without_a_superlink_it_does_what_it_can_once_and_waits(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers: list[Any] = [Trouble("WAITING_FOR_SUPERLINK", "none yet", again=True)] * 3
        answers.append(discovery.Found("192.0.2.1", 8443))

        def find(*_arguments: Any, **_keywords: Any) -> discovery.Found:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[no-any-return]

        monkeypatch.setattr(discovery, "find", find)
        assert world.boot() == 0
        assert [skipped for *_rest, skipped in world.played] == [("supernode",), ()]
        assert world.played[0][2]["firewall_superlink_addresses"] == ["any"]
        assert "firewall_superlink_addresses" not in world.played[1][2]
        assert ("WAITING_FOR_SUPERLINK", "none yet. It is tried again by itself") in world.states

    def test_the_state_does_not_go_to_and_fro_while_the_superlink_is_silent(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        silences = [Trouble("WAITING_FOR_SUPERLINK", "it does not answer", again=True)] * 5
        joined = join.join

        def attempt(*arguments: Any, **keywords: Any) -> Any:
            if silences:
                raise silences.pop()
            return joined(*arguments, **keywords)

        monkeypatch.setattr(join, "join", attempt)
        assert world.boot() == 0
        states = [state for state, _same in itertools.groupby(state for state, _message in world.states)]
        assert states == ["BOOTING", "JOINING", "WAITING_FOR_SUPERLINK", "CONFIGURING", "ONLINE"]

    def test_a_superlink_that_is_late_finds_the_firewall_up(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = join.join
        late = [Trouble("WAITING_FOR_SUPERLINK", "not yet", again=True)] * 2

        def attempt(*arguments: Any, **keywords: Any) -> Any:
            if late:
                raise late.pop(0)
            return done(*arguments, **keywords)

        monkeypatch.setattr(join, "join", attempt)
        assert world.boot() == 0
        assert [skipped for *_rest, skipped in world.played] == [("supernode",), ()]
        assert world.played[0][2]["supernode_superlink_address"] == "192.0.2.1"
        assert "firewall_superlink_addresses" not in world.played[0][2]

    def test_a_superlink_that_is_busy_for_a_moment_costs_a_moment(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two nodes of a service join within the same second as a rule."""
        done = join.join
        busy = [Trouble("WAITING_FOR_SUPERLINK", "it takes no SuperNodes yet", again=True)]

        def attempt(*arguments: Any, **keywords: Any) -> Any:
            if busy:
                raise busy.pop()
            return done(*arguments, **keywords)

        monkeypatch.setattr(join, "join", attempt)
        assert world.boot() == 0
        assert [skipped for *_rest, skipped in world.played] == [()]

    def test_a_superlink_that_moved_is_let_through_the_firewall_first(self, world: World) -> None:
        world.boot()
        (world.root / "etc/fact8ra/firewall.nft").touch()
        world.context(VMID="7", ONEAPP_FLOWER_JOIN_TOKEN=TOKEN, ONEAPP_FLOWER_SUPERLINK_ADDRESS="192.0.2.2")
        world.played.clear()
        assert world.boot() == 0
        assert [(v["supernode_superlink_address"], skip) for _g, _n, v, skip in world.played] == [
            ("192.0.2.2", ("supernode",)),
            ("192.0.2.2", ()),
        ]

    def test_the_same_superlink_needs_no_extra_step(self, world: World) -> None:
        world.boot()
        (world.root / "etc/fact8ra/firewall.nft").touch()
        world.played.clear()
        world.boot()
        assert len(world.played) == 1

    @pytest.mark.parametrize(
        "state", ["TRUST_REFUSED", "SUPERLINK_REPLACED", "JOIN_REFUSED", "NAME_TAKEN", "TOKEN_MISSING", "CLOCK_WRONG"]
    )
    def test_a_refusal_ends_the_boot_in_its_state(
        self, world: World, monkeypatch: pytest.MonkeyPatch, state: str
    ) -> None:
        def refuse(*_arguments: Any, **_keywords: Any) -> None:
            raise Trouble(state, "because", variable="ONEAPP_FLOWER_X")

        monkeypatch.setattr(join, "join", refuse)
        assert world.boot() == 1
        assert (world.state["state"], world.state["message"]) == (state, "because")
        assert world.state["problems"] == [{"variable": "ONEAPP_FLOWER_X", "message": "because"}]
        assert world.slept == []

    def test_a_node_that_does_not_come_online_says_why(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(join, "status", lambda *_arguments: "offline")
        monkeypatch.setattr(boot, "ONLINE_SECONDS", 2)
        monkeypatch.setattr(boot, "why_offline", lambda: "flower-supernode.service: the port is in use")
        with pytest.raises(WaitsForEver):
            world.boot()
        assert any(state == "OFFLINE" and "the port is in use" in message for state, message in world.states)

    @pytest.mark.parametrize(
        ("status", "vm_id", "state"),
        [(401, 7, "ONEGATE_REFUSED"), (503, 7, "ONEGATE_UNREACHABLE"), (200, 7, "ONEGATE_FOREIGN")],
    )
    def test_a_onegate_that_does_not_say_where_the_superlink_is(
        self, world: World, status: int, vm_id: int, state: str
    ) -> None:
        world.context(VMID="7")
        with onegate(status, vm_id) as (gate, _kept), pytest.raises(WaitsForEver):
            world.boot(gate)
        assert world.state["state"] == state
        assert len(world.played) == 1


class TestMachine:
    def test_values_that_look_like_templates_stay_as_they_are(self, world: World) -> None:
        world.image("supernode")
        world.context(
            VMID="7",
            ONEAPP_FLOWER_JOIN_TOKEN=TOKEN,
            ONEAPP_FLOWER_SUPERLINK_ADDRESS="192.0.2.1",
            ONEAPP_FLOWER_NODE_CONFIG="note={{7*7}}",
        )
        world.boot()
        assert world.played[0][2]["supernode_node_config"] == {"note": "{{7*7}}"}

    def test_a_machine_without_an_address(self) -> None:
        with pytest.raises(Trouble, match="no address"):
            machine.addresses({}, lambda: "[]").main.strip()

    def test_a_certificate_that_was_brought_is_kept_for_root_alone(self, world: World) -> None:
        keep = machine.Keep(world.root)
        keep.prepare()
        named = keep.tls("cert", "key", "trust")
        assert named["pki_superlink_source"] == "provided"
        key = Path(named["pki_superlink_key"])
        assert (key.read_text(), key.stat().st_mode & 0o777) == ("key", 0o600)

    @pytest.mark.parametrize("failing", [True, False])
    def test_the_table_that_lets_nobody_in_goes(self, failing: bool) -> None:
        called = []

        def run(command: list[str], **_options: Any) -> None:
            called.append(command)
            if failing:
                raise subprocess.CalledProcessError(1, command, stderr="no rights")

        if failing:
            with pytest.raises(Trouble, match="no rights"):
                machine.reopen(run)
        else:
            machine.reopen(run)
        assert called == [["/usr/sbin/nft", "add table inet fact8ra_closed; delete table inet fact8ra_closed"]]

    def test_the_kernel_takes_that_table(self) -> None:
        files = Path(boot.__file__).parents[1]
        unit = (files / "units/fact8ra-closed.service").read_text(encoding="utf-8")
        assert "/roles/appliance/files/closed.nft\n" in unit
        subprocess.run(["nft", "--check", "--file", str(files / "closed.nft")], check=True, capture_output=True)

    def test_another_context_has_another_digest(self) -> None:
        one = machine.digest({"ONEAPP_FLOWER_A": "1", "TOKENTXT": "x"})
        assert one == machine.digest({"ONEAPP_FLOWER_A": "1", "ONEAPP_FLOWER_B": "", "TOKENTXT": "y"})
        assert one != machine.digest({"ONEAPP_FLOWER_A": "2"})
