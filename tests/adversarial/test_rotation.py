# SPDX-License-Identifier: Apache-2.0
"""Certificates and keys that are replaced in the middle of a run: it ends complete, and the old are worth nothing."""

from __future__ import annotations

import concurrent.futures
import json

import pytest
from adversary import Federation, Host, World, eventually
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

# More than a rotation lasts: a round takes 10 s where nothing else runs.
ROUNDS = 30
TRUST = "sha256sum < /etc/flower/trust.crt"
LEAF = "sha256sum < /etc/flower/superlink.crt"
KEY = "ssh-keygen -l -f /etc/flower/supernode.key"
ANSWERS = "journalctl --quiet --unit=flower-supernode --since='{since}' --grep='Sent successfully' --output=cat | wc -l"


def _train(ours: Federation, label: str) -> concurrent.futures.Future[str]:
    """Train the smoke app in the background; the output of the playbook comes later."""
    config = {"num-server-rounds": ROUNDS, "min-nodes": len(ours.supernodes)}
    given = json.dumps({"run_app": "tests/apps/smoke", "run_label": label, "run_force": True, "run_config": config})

    def trained() -> str:
        return " ".join(ours.play("run", "-e", given).output.split())

    return concurrent.futures.ThreadPoolExecutor(1).submit(trained)


def _answers(node: Host, since: str, count: int) -> bool:
    """Whether a SuperNode has sent so many answers since a time."""
    return int(node.run(ANSWERS.format(since=since)).stdout) >= count


def _rotated(ours: Federation, label: str, *rotations: str, busy: str = "") -> tuple[bool, str, list[str]]:
    """Rotate in the middle of a run; whether it still trained afterwards, its end, and what was said of failures.

    A rotation may also stop with the words `busy`, which say that a node had no pause.
    """
    node = ours.supernodes[0]
    since = node.run("date '+%Y-%m-%d %H:%M:%S'").stdout.strip()
    run = _train(ours, label)
    assert eventually(lambda: run.done() or _answers(node, since, 2), 300)
    assert not run.done(), run.result()
    for rotation in rotations:
        played = ours.play("rotate", "-e", f"rotate={rotation}")
        if not busy or busy not in " ".join(played.output.split()):
            played.succeeded()
    trained = not run.done()
    output = run.result(1800)
    ended = f"finished:completed: {ROUNDS} rounds" in output
    failures = [part.split(",")[0] for part in output.split("(item=round")[1:] if "FAILED" in part.split(")")[0]]
    return trained, "finished:completed, every round" if ended else output[-300:], failures


@promise(
    "Certificates and keys are replaced while a run trains, and the run ends complete.",
    attempt="the CA in its three steps, then the certificate, in the middle of a run",
)
def test_certificates_are_replaced_in_the_middle_of_a_run(world: World, attempt: Attempt) -> None:
    ours = world.ours
    old_leaf, old_trust = ours.superlink.run(LEAF).stdout, ours.superlink.run(TRUST).stdout
    old_bundle = ours.superlink.run("cat /etc/flower/trust.crt").stdout
    trained, end, failures = _rotated(ours, "rotation-of-certificates", "ca", "leaf")
    attempt.control(trained, "the run still trained when the last step was done")
    attempt.control(ours.superlink.run(LEAF).stdout != old_leaf, "the SuperLink has another certificate")
    now = {node.run(TRUST).stdout for node in ours.supernodes}
    attempt.control(len(now) == 1 and old_trust not in now, "every SuperNode trusts the new CA alone")
    node = ours.supernodes[-1]
    address, port = node.superlink
    where = f"{f'[{address}]' if ':' in address else address}:{port}"
    refused = node.run(
        f"cat > /run/old.crt; curl -s -o /dev/null --max-time 10 --cacert /run/old.crt https://{where}/health; "
        "echo $?; rm -f /run/old.crt",
        given=old_bundle,
    ).stdout.strip()
    attempt.control(refused == "60", "who trusts the old CA alone does not trust the SuperLink")
    attempt.outcome(f"{end}; rounds with failures: {len(failures)}")
    assert end == "finished:completed, every round"
    assert failures == []
    ours.play("verify").succeeded()


@promise(
    "Certificates and keys are replaced while a run trains, and the run ends complete.",
    attempt="the keys of all SuperNodes in the middle of a run",
)
def test_keys_are_replaced_in_the_middle_of_a_run(world: World, attempt: Attempt) -> None:
    ours = world.ours
    old = {node.name: node.run(KEY).stdout for node in ours.supernodes}
    # A SuperNode that works all the time keeps its old key, which stays registered until it has the new one.
    trained, end, failures = _rotated(
        ours, "rotation-of-keys", "supernodes", busy="Run this again when the run has ended"
    )
    attempt.control(trained, "the run still trained when the rotation ended")
    ours.play("rotate", "-e", "rotate=supernodes").succeeded()
    attempt.control(all(node.run(KEY).stdout != old[node.name] for node in ours.supernodes), "every key is another")
    attempt.outcome(f"{end}; rounds with failures: {len(failures)}")
    # A message that was sent in the very moment costs its answer; that is allowed for, a lost round is not.
    assert end == "finished:completed, every round"
    ours.play("verify").succeeded()
