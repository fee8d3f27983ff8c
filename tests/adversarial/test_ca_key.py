# SPDX-License-Identifier: Apache-2.0
"""The key of the federation's CA, and the other secrets of the controller: where they are, and where they never are."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversary import World, passphrase
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

# Private keys that belong on a host; whatever else begins like one is told of.
EXPECTED = re.compile(
    r"/etc/ssh/ssh_host_\w+_key|/etc/flower/(superlink|supernode|runtime)\.key|/etc/ssl/private/ssl-cert-snakeoil\.key"
    r"|/run/credentials/flower-\w+\.service/(superlink|supernode)\.key"
)
BEGIN = re.compile(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----\r?$", re.MULTILINE)


def _forms(pem: bytes, phrase: str | None) -> list[bytes]:
    """Bytes that betray a private key: lines of the file, of the plain PEM, and the secret number itself."""
    lines = [line for line in pem.splitlines() if not line.startswith(b"-----") and len(line) > 40]
    key = serialization.load_pem_private_key(pem, phrase.encode() if phrase else None)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).splitlines()[1:3]
    secret = b""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        secret = key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")
    more = [secret, secret.hex().encode(), base64.b64encode(secret)] if secret else []
    return [*lines[:2], *plain, *more]


def _machines(world: World) -> Iterator[tuple[str, Path]]:
    """Disk and file systems in memory of every VM of the lab, read from outside, so that nothing is brought there."""
    for path in sorted((world.state / "machines").iterdir()):
        yield path.name, path / "disk/upper"
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process}/status").read_text()
            group = re.search(r"/fact8ra-lab/([^/]+)/", Path(f"/proc/{process}/cgroup").read_text())
            mine = group is not None and (world.state / "machines" / group[1]).exists()
            if mine and re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                for part in ("run", "tmp", "dev/shm"):
                    yield process, Path(f"/proc/{process}/root/{part}")


def _search(world: World, *secrets: list[bytes]) -> tuple[list[list[str]], list[str], int]:
    """Files of all hosts that hold each of the secrets, those that hold any private key, and how many were read."""
    holding: list[list[str]] = [[] for _unused in secrets]
    keys, read = [], 0
    for name, top in _machines(world):
        for directory, _names, files in os.walk(top):
            for file in files:
                path = Path(directory, file)
                with contextlib.suppress(OSError):
                    if not stat.S_ISREG(path.lstat().st_mode) or path.lstat().st_size > 200_000_000:
                        continue
                    data = path.read_bytes()
                    read += 1
                    inside = str(path).removeprefix(str(top))
                    inside = inside if top.name == "upper" else f"/{top.relative_to(f'/proc/{name}/root')}{inside}"
                    for found, needles in zip(holding, secrets, strict=True):
                        if any(needle in data for needle in needles):
                            found.append(f"{name}:{inside}")
                    if BEGIN.search(data) and not inside.endswith((".py", ".pyc", ".whl")):
                        keys.append(f"{name}:{inside}")
    return holding, keys, read


@promise(
    "The CA's key never leaves the controller, and rests there encrypted.",
    attempt="every file of every host is searched for it",
)
def test_no_host_holds_the_key(world: World, attempt: Attempt) -> None:
    pki = world.ours.directory / "pki"
    ca = (pki / "ca.key").read_bytes()
    leaf = _forms((pki / "superlink.key").read_bytes(), None)
    key = [*_forms(ca, passphrase(world.ours)), passphrase(world.ours).encode()]
    (public, holding), keys, read = _search(world, leaf, key)
    attempt.control(bool(public), "the same search finds the SuperLink's key on its host")
    strange = [each for each in keys if not EXPECTED.fullmatch(each.partition(":")[2])]
    attempt.outcome(
        f"{read} files read: {len(holding)} hold the CA's key; {len(strange)} of {len(keys)} keys unexpected"
    )
    assert holding == []
    assert strange == []


@promise(
    "The CA's key never leaves the controller, and rests there encrypted.",
    attempt="its file is read without the passphrase",
)
def test_the_key_rests_encrypted(world: World, attempt: Attempt) -> None:
    path = world.ours.directory / "pki/ca.key"
    data = path.read_bytes()
    serialization.load_pem_private_key(data, passphrase(world.ours).encode())
    attempt.control(True, "with the passphrase it is read")
    mode = stat.S_IMODE(path.stat().st_mode)
    try:
        serialization.load_pem_private_key(data, b"another passphrase")
        outcome = "read"
    except ValueError as error:
        outcome = f"refused: {str(error).partition('.')[0]}"
    attempt.outcome(f"mode {mode:04o}; with another passphrase {outcome}")
    assert mode == 0o600
    assert b"ENCRYPTED" in data
    assert outcome.startswith("refused")


@promise(
    "No secret is in a command line, in what Ansible prints, or in a log.",
    attempt="site.yml -vvv, its output and all command lines",
)
def test_no_secret_is_printed(world: World, attempt: Attempt) -> None:
    ours = world.ours
    secrets = {"the CA's passphrase": [passphrase(ours)], "the site's password": [ours.credentials(ours.sites[0])[1]]}
    for path in sorted((ours.directory / "pki").rglob("*.key")):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("-----") and len(line) > 40]
        secrets[str(path.relative_to(ours.directory))] = lines[:2]
    for host in (ours.superlink, *ours.supernodes):
        raw = host.run("base64 -w0 /etc/flower/superexec.secret").stdout.strip()
        secrets[f"the SuperExec's secret of {host.name}"] = [raw, base64.b64decode(raw).hex()]
    known = next(line for line in (ours.directory / "pki/trust.crt").read_text().splitlines() if len(line) > 40)
    # Brought anew, so that every task which handles a secret does so.
    for host in (ours.superlink, *ours.supernodes):
        own = ours.directory / f"pki/supernodes/{host.name}.key"
        files = ["/etc/flower/trust.crt", *(["/etc/flower/supernode.key"] if own.exists() else [])]
        host.run(f"rm -f {' '.join(files)}")
    ours.superlink.run("rm -f /etc/flower/superlink.crt /etc/flower/superlink.key")
    with _command_lines() as seen:
        played = ours.play("site", "-vvv", "--diff").succeeded()
    words = "\n".join(seen)
    attempt.control(
        "playbooks/site.yml" in words, f"{len(seen)} command lines were seen, ansible-playbook's among them"
    )
    attempt.control(played.changed > 0 and ours.superlink.name in played.output, f"{played.changed} tasks changed")
    logs = "".join(
        host.run("journalctl --no-pager -o cat; cat /var/log/nginx/*.log /var/log/auth.log 2>/dev/null; true").stdout
        for host in (ours.superlink, *ours.supernodes)
    )
    attempt.control("flower" in logs and bool(known), f"{len(logs) // 1024} kB of logs of the hosts")
    shown = [
        f"{name} in {place}"
        for name, forms in secrets.items()
        for place, text in (("a command line", words), ("Ansible's output", played.output), ("a log", logs))
        if any(form in text for form in forms)
    ]
    attempt.outcome("; ".join(shown) or f"none of {len(secrets)} secrets in {len(played.output) // 1024} kB of output")
    assert shown == []


@contextlib.contextmanager
def _command_lines() -> Iterator[set[str]]:
    """Command lines and environments' names of all processes of this computer, its VMs' too, while the block runs."""
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for process in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    seen.add(Path(f"/proc/{process}/cmdline").read_text(errors="replace").replace("\0", " "))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
