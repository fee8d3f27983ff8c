# SPDX-License-Identifier: Apache-2.0
"""SuperNodes with a wrong identity: each is refused, and verify says why; site.yml or rotate.yml mends it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from adversary import Host, World
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

RESTART = "systemctl restart flower-supernode"
KEY = "/etc/flower/supernode.key"
# Python's own place for it, which the venv's Python reads as well as the system's.
HOOK = "/usr/lib/python3.11/sitecustomize.py"
AHEAD = """
import datetime, time
seconds, real = 60, time.time
time.time = lambda: real() + seconds
class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(real() + seconds, tz)
    @classmethod
    def utcnow(cls):
        return cls.utcfromtimestamp(real() + seconds)
datetime.datetime = Ahead
"""


def _unregistered(world: World, node: Host) -> None:
    node.run(
        f"cd /run && rm -f other* && ssh-keygen -q -t ecdsa -b 384 -N '' -f other && cat other > {KEY}; rm -f other*"
    )


def _anothers(world: World, node: Host) -> None:
    node.run(f"cat > {KEY}", given=world.ours.supernodes[0].run(f"cat {KEY}").stdout)


def _wrong_ca(world: World, node: Host) -> None:
    node.run(
        "cd /run && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 1 -subj /CN=foreign "
        "-keyout foreign.key -out /etc/flower/trust.crt 2>/dev/null; rm -f foreign.key"
    )


def _clock(world: World, node: Host) -> None:
    node.run(f"cp -P {HOOK} {HOOK}.kept 2>/dev/null; rm -f {HOOK}; cat > {HOOK}", given=AHEAD)


def _revoked(world: World, node: Host) -> None:
    done = world.ours.superlink.attack("revoke", node.name, python="/opt/flower/venv/bin/python")
    assert done == 1


CASES: dict[str, tuple[Callable[[World, Host], None], str]] = {
    "with a key that nobody registered": (_unregistered, "is not registered with the SuperLink"),
    "with the key of another SuperNode": (_anothers, "is the one of"),
    "with its own key and a foreign CA": (_wrong_ca, "it trusts the wrong CA"),
    "with its own key and a clock 60 s ahead": (_clock, "its clock differs by"),
    "with a key that was revoked": (_revoked, "was revoked"),
}


@promise(
    "A SuperNode is admitted by its own registered key alone, and verify says why one is not.",
    attempt="a SuperNode {how}",
)
@pytest.mark.parametrize("how", CASES)
def test_a_wrong_identity_is_refused(world: World, attempt: Attempt, how: str) -> None:
    ours = world.ours
    node = ours.supernodes[-1]
    wrong, cause = CASES[how]
    attempt.control(ours.play("verify").returncode == 0, "verify finds it online with what is its own")
    try:
        wrong(world, node)
        node.run(RESTART)
        refused = ours.play("verify", "-e", "verify_timeout=15")
    finally:
        node.run(f"if [ -e {HOOK}.kept ] || grep -q Ahead {HOOK} 2>/dev/null; then rm -f {HOOK}; fi")
        node.run(f"[ ! -e {HOOK}.kept ] && [ ! -L {HOOK}.kept ] || mv {HOOK}.kept {HOOK}")
        if wrong is _revoked:
            chosen = json.dumps({"rotate": "supernodes", "rotate_supernodes": [node.name]})
            ours.play("rotate", "-e", chosen).succeeded()
        else:
            node.run(RESTART)
            ours.mended()
    told = " ".join(refused.output.split())
    said = told[told.find(cause) - 60 :][:150] if cause in told else refused.output[-300:]
    attempt.outcome(f"not online; verify: ...{said}")
    refused.failed_with(node.name, cause)
