# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What an appliance does at every boot: read its context, judge it, bring the machine to it, and say what came of it.

Nothing here knows how a SuperLink or a SuperNode is set up: the roles do. What time can mend is tried again, with
pauses that grow to a quarter of a minute; what only a person can mend ends the boot, and the page in /run says what.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from . import checks, data, discovery, identity, join, machine, publish, trust, values
from . import context as contexts
from .apply import ApplyFailed, apply
from .flower import why_offline
from .offer import fingerprint_of, shown
from .onegate import OneGate, OneGateError, OneGateForeign, OneGateUnreachable
from .report import Reporter, State
from .trouble import Trouble

PLAYBOOK: Final = "appliance_boot.yml"
#: Name of a SuperLink in the inventory, which nobody dials.
SUPERLINK: Final = "flower-superlink"
#: Attempts at what may pass by itself and mostly does not: a task that fails, a context that is not there.
PATIENCE: Final = 3
#: Seconds for Flower to say that this SuperNode is online, before the reason is looked for.
ONLINE_SECONDS: Final = 60.0
#: Seconds between two questions whether it is.
_ASK_EVERY: Final = 0.5
_AGAIN: Final = "It is tried again by itself"


@dataclass(frozen=True)
class Problem:
    """A variable of the context and what is wrong with it."""

    variable: str
    message: str


@dataclass(frozen=True)
class Failure:
    """Why an attempt did not come to its end; ``limited``: a few attempts are enough."""

    state: State
    message: str
    problems: tuple[Problem, ...] = ()
    again: bool = False
    limited: bool = False


class Invalid(Exception):
    """The context is refused."""

    def __init__(self, problems: list[Any]) -> None:
        super().__init__(f"{len(problems)} variable(s) of the context are refused; nothing was changed")
        self.problems = problems


def judged(error: Exception) -> Failure:
    """What an error means for the boot."""
    if isinstance(error, Invalid):
        return Failure(State.CONTEXT_INVALID, str(error), tuple(Problem(p.variable, p.message) for p in error.problems))
    if isinstance(error, contexts.ContextMissing):
        return Failure(State.CONTEXT_MISSING, str(error), again=True, limited=True)
    if isinstance(error, Trouble):
        problems = (Problem(error.variable, str(error)),) if error.variable else ()
        return Failure(State(error.state), str(error), problems, again=error.again)
    if isinstance(error, OneGateError):
        return Failure(gate_state(error), str(error), again=True)
    if isinstance(error, ApplyFailed):
        said = f"{error.task}: {error}" if error.task else str(error)
        return Failure(State.CONFIGURE_FAILED, said, again=True, limited=True)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(State.DISK_FULL, f"{error.filename or 'the disk'}: {error.strerror}", again=True, limited=True)
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return Failure(
            State.DISK_READ_ONLY, f"{error.filename or 'the disk'}: {error.strerror}", again=True, limited=True
        )
    text = f"{type(error).__name__}: {error}; the journal has all of it (journalctl -u fact8ra-appliance)"
    return Failure(State.CONFIGURE_FAILED, text, again=True, limited=True)


def gate_state(error: OneGateError) -> State:
    """The state of a OneGate that does not do what it is asked."""
    if isinstance(error, OneGateUnreachable):
        return State.ONEGATE_UNREACHABLE
    return State.ONEGATE_FOREIGN if isinstance(error, OneGateForeign) else State.ONEGATE_REFUSED


Play = Callable[..., None]


@dataclass
class Boot:
    """One boot of this VM.

    Args:
        root: where the system's root is.
        play: plays a playbook, as `apply.apply`.
        sleep: waits so many seconds.
        clock: seconds that only grow.
        reopen: takes away what lets nobody in until the role firewall was played.
    """

    root: Path = Path("/")
    play: Play = apply
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    reporter: Reporter = field(default_factory=Reporter)
    reopen: Callable[[], None] = machine.reopen
    _gate: OneGate | None = None
    _context: dict[str, str] = field(default_factory=dict, repr=False)
    _waited: bool = False
    _stopped_by: State | None = None

    def run(self) -> int:
        """Attempt until it is done, or nothing but a person can help; returns the exit status."""
        self.reporter.say(State.BOOTING, "The appliance reads its context")
        limit = PATIENCE
        for pause in discovery.delays():
            try:
                self.attempt()
                return 0
            except Exception as error:  # noqa: BLE001  whatever it is, the tenant has to see a state
                failure = judged(error)
                if failure.state is State.CONFIGURE_FAILED and not isinstance(error, ApplyFailed | Trouble):
                    traceback.print_exc()
            limit -= failure.limited
            if not failure.again or limit == 0:
                self.reporter.failed(failure.state, failure.message, failure.problems)
                return 1
            self.reporter.say(failure.state, f"{failure.message}. {_AGAIN}", failure.problems)
            self._stopped_by = failure.state
            self.sleep(pause)
        return 1

    def attempt(self) -> None:
        """One attempt from the context to the end. Raises what stopped it."""
        image = machine.Image.read(self.root)
        self._context = contexts.read(self.root).variables
        self._gate = self.reporter.gate = self.reporter.gate or machine.gate(self._context)
        checked = values.validate(self._context, image.kind, image.flavour)
        if checked.problems:
            raise Invalid(checked.problems)
        for note in checked.notes:
            print(f"note: {note}", flush=True)
        checks.disk(self.root)
        keep = machine.Keep(self.root)
        keep.prepare()
        here = machine.addresses(self._context)
        roles = machine.variables(image, self._context, checked.variables, here, keep)
        go = self._superlink if image.kind == "superlink" else self._supernode
        go(checked.variables, roles, here, keep)

    # -------------------------------------------------------------------------------------------------------- SuperLink

    def _superlink(
        self, given: dict[str, Any], roles: dict[str, Any], here: machine.Addresses, keep: machine.Keep
    ) -> None:
        endpoint = self._context.get("ONEGATE_ENDPOINT", "")
        # With a wrong clock the certificates would be of no use to anybody.
        checks.clock(lambda: checks.onegate(endpoint) if endpoint else [], root=self.root, servers=_servers(roles))
        address = machine.dialled(roles, here)
        self.reporter.say(State.CONFIGURING, f"The SuperLink is brought to its context, at {address}")
        if given.get("appliance_run_app", "none") != "none":
            roles |= data.superlink(self.root)
        self._play("superlink", SUPERLINK, roles)
        keep.remember(context=machine.digest(self._context))
        token = given.get("appliance_join_token")
        etc = self.root / "etc/flower"
        port = int(roles.get("superlink_fleet_port", discovery.DEFAULT_PORT))
        made = publish.offer(address, port, etc / "trust.crt", etc / "superlink.crt", "token" if token else "onegate")
        publish.answers(made)
        ca = f"its CA has the fingerprint {shown(made.fingerprint)}"
        where = f"The SuperLink answers over TLS at {address}, port {port}; {ca}"
        if self._gate is None:
            self.reporter.say(State.READY, f"{where}. There is no OneGate: give SuperNodes address and fingerprint")
            return
        gate = self._gate
        self._insist(lambda: publish.publish(gate, made), where)
        self.reporter.say(State.READY, where)
        self._insist_ready()

    # -------------------------------------------------------------------------------------------------------- SuperNode

    def _supernode(
        self, given: dict[str, Any], roles: dict[str, Any], here: machine.Addresses, keep: machine.Keep
    ) -> None:
        dial = str(given.get("appliance_superlink_address") or "")
        fingerprint = str(given.get("appliance_superlink_fingerprint") or "")
        token = str(given.get("appliance_join_token") or "")
        how = trust.mode(str(given.get("appliance_trust") or ""), fingerprint, token, dial)
        vm_id = int(self._context.get("VMID") or 0)
        me = identity.ensure(str(roles.get("supernode_name") or ""), vm_id, self.root / "etc/flower/supernode.key")
        roles |= {"supernode_name": me.name, "supernode_pki_directory": str(keep.pki)}
        pins = trust.Pins(keep.directory / "pin.json")
        pin = pins.read()
        try:
            wanted = fingerprint_of(fingerprint) if fingerprint else pin.fingerprint if pin else ""
            found = discovery.find(dial, self._gate, wanted=wanted)
        except (Trouble, OneGateError) as error:
            failure = judged(error)
            if failure.again:
                # What does not need to know the SuperLink is done while it is waited for.
                self._wait(failure, roles, keep)
            raise
        # The inventory has no SuperLink to take the address from.
        roles |= {"superlink_address": found.host, "supernode_superlink_address": found.host}
        roles |= {"supernode_superlink_port": found.port}
        if not self._admitted(found.address, found.port, keep):
            self.reporter.say(State.CONFIGURING, f"The firewall is opened to the SuperLink at {found.address}")
            self._prepare(roles, keep, found.address)
        checks.clock(lambda: checks.superlink(found.host, found.port), root=self.root, servers=_servers(roles))
        if self._stopped_by is not State.WAITING_FOR_SUPERLINK:
            # Else the state would go to and fro with every attempt while the SuperLink is waited for.
            self.reporter.say(State.JOINING, f"SuperNode {me.name} joins the SuperLink at {found.address}")
        try:
            joined = join.join(found, me, how, given=fingerprint, token=token, vm_id=vm_id, gate=self._gate, pins=pins)
        except Trouble as trouble:
            # Not at once: a SuperLink that is there and busy with another node asks for a second's patience.
            if trouble.again and self._stopped_by is State.WAITING_FOR_SUPERLINK:
                self._wait(judged(trouble), roles, keep, found.address)
            raise
        join.install(keep.pki, joined.ca)
        believed = f"its CA has the fingerprint {shown(joined.fingerprint)} ({_BELIEVED[joined.how]})"
        self.reporter.say(State.CONFIGURING, f"SuperNode {me.name} is registered at {found.address}; {believed}")
        if given.get("appliance_data", "none") != "none":
            gate = self._gate
            config = dict(roles.get("supernode_node_config") or {})
            roles |= data.supernode(config, gate.service if gate else None, vm_id, self.root)
        # Flower itself is asked whether this node is online, which says more than a connection.
        roles["supernode_wait_for_superlink"] = False
        self._play("supernodes", me.name, roles)
        keep.remember(context=machine.digest(self._context), superlink=found.address)
        self._online(found, joined, me)
        self.reporter.say(State.ONLINE, f"SuperNode {me.name} is online at the SuperLink {found.address}; {believed}")
        self._insist_ready()

    def _play(self, group: str, name: str, roles: dict[str, Any], skip: Sequence[str] = ()) -> None:
        """Play the roles; from then on their firewall stands, and not the one that lets nobody in."""
        self.play(PLAYBOOK, group, name, roles, skip=skip, root=self.root)
        self.reopen()

    def _wait(self, failure: Failure, roles: dict[str, Any], keep: machine.Keep, address: str = "") -> None:
        """Do once what can be done without the SuperLink, the firewall first; no address where it is unknown."""
        self.reporter.say(failure.state, f"{failure.message}. {_AGAIN}", failure.problems)
        if self._waited:
            return
        self._waited = True
        port = int(roles.get("supernode_superlink_port", discovery.DEFAULT_PORT))
        known = str(keep.applied().get("superlink", ""))
        # Whoever waits for a SuperLink that it knew keeps its firewall.
        if not known and address:
            self._prepare(roles, keep, address)
        elif not known:
            opened = {"firewall_superlink_addresses": ["any"], "supernode_superlink_port": port}
            self._prepare(roles | opened, keep, f"*:{port}")

    def _prepare(self, roles: dict[str, Any], keep: machine.Keep, address: str) -> None:
        self._play("supernodes", str(roles["supernode_name"]), roles, skip=["supernode"])
        keep.remember(superlink=address)

    def _admitted(self, address: str, port: int, keep: machine.Keep) -> bool:
        """Whether the firewall of an earlier boot, or none yet, lets this VM out to a SuperLink."""
        if not (self.root / "etc/fact8ra/firewall.nft").exists():
            return True
        return keep.applied().get("superlink") in (address, f"*:{port}")

    def _online(self, found: discovery.Found, joined: join.Joined, me: identity.Identity) -> None:
        """Wait until Flower says that this node is online. Raises Trouble with the reason that the journal has."""
        end = self.clock() + ONLINE_SECONDS
        while True:
            try:
                said = join.status(found, joined.ca, me.public_key)
            except Trouble as trouble:
                if not trouble.again:
                    raise
                said = str(trouble)
            if said == "online":
                return
            if self.clock() > end:
                raise Trouble(
                    "OFFLINE", f"SuperNode {me.name} is {said} at {found.address}: {why_offline()}", again=True
                )
            self.sleep(_ASK_EVERY)

    # --------------------------------------------------------------------------------------------------------- OneGate

    def _insist(self, tell: Callable[[], None], done: str) -> None:
        """Tell OneGate what others wait for, until it takes it."""
        for pause in self._pauses():
            try:
                return tell()
            except OneGateError as error:
                self.reporter.say(gate_state(error), f"{done}. OneGate could not be told so: {error}. {_AGAIN}")
            self.sleep(pause)
        return None

    def _insist_ready(self) -> None:
        """Tell OneFlow that this VM is ready, until OneGate takes it; the page says as long as it does not."""
        for pause in self._pauses():
            if self.reporter.ready():
                return
            self.sleep(pause)

    @staticmethod
    def _pauses() -> Iterator[float]:
        return discovery.delays()


_BELIEVED: Final = {
    trust.Mode.FINGERPRINT: "given in the context",
    trust.Mode.TOKEN: "proven by the join token",
    trust.Mode.FIRST: "accepted as the first one that OneGate named, and pinned",
}


def _servers(roles: dict[str, Any]) -> list[str]:
    return [str(server) for server in roles.get("flower_ntp_servers") or []]
