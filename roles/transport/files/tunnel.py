# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the role transport asks of a host, and does there with keys, which never leave it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON, with ``interface`` and ``action``:

* ``look``: ``files`` (paths), ``packages`` (names), ``unit``, ``table`` (of nftables). Answers ``ipv6``, ``kernel``
  (whether it has WireGuard), ``packages`` (missing), ``states`` (path to "SHA-256 mode owner group"), ``key_state``
  (the same of the key, without SHA-256), ``left`` (files with keys and configuration), ``unit`` (``started``,
  ``enabled``, ``stale``), ``table`` (whether it is loaded), ``interface`` (``addresses``, ``mtu``), ``others``
  (networks of the other interfaces), ``public_key``, ``handshakes`` (seconds by public key).
* ``key``: make the private key unless there is one. Answers ``public_key``.
* ``stage``: make the next private key unless there is one. Answers ``public_key`` of that.
* ``switch``: put the next key and configuration in the place of those in use, and have the unit read them.
* ``wait``: ``peer`` (public key), ``timeout`` (seconds), ``renewed`` (an address in the tunnel, to wait for a handshake
  that is younger than the private key). Waits for a handshake. Answers ``ready``, ``sent`` and
  ``received`` (bytes), ``known`` (whether the interface has this peer).
* ``listen``: ``peer``, ``timeout``. Answers ``known`` and ``heard``, whether anything came from the peer meanwhile.

Prints JSON. ``look``, ``wait`` and ``listen`` change nothing. Runs on any Python 3.7.
"""

from __future__ import annotations

import glob
import grp
import hashlib
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import time
from typing import Any

_DIRECTORY = "/etc/wireguard"
_INTERVAL = 0.2
# The protocol gives up a session after this many seconds (REJECT_AFTER_TIME), and renews it before.
_FRESH = 180
# RFC 863.
_DISCARD = 9


def printed(*command: str, given: str | None = None) -> str:
    """What a command prints, or an empty string when it fails or is missing."""
    try:
        done = subprocess.run(
            command,
            input=None if given is None else given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.decode(errors="replace")


def key_file(interface: str, suffix: str = "") -> str:
    """Where a private key is."""
    return f"{_DIRECTORY}/{interface}.key{suffix}"


def public_key(path: str) -> str:
    """The public key of a private key's file, or an empty string where there is none."""
    try:
        with open(path, encoding="ascii") as stream:
            return printed("wg", "pubkey", given=stream.read()).strip()
    except (OSError, ValueError):
        return ""


def make_key(path: str) -> str:
    """Make a private key unless there is one that can be used, whole or not at all; return its public key."""
    if not public_key(path):
        made = subprocess.run(["wg", "genkey"], stdout=subprocess.PIPE, check=True).stdout
        os.makedirs(_DIRECTORY, mode=0o700, exist_ok=True)
        write(path, made)
    return public_key(path)


def write(path: str, content: bytes) -> None:
    """Write a file that only root reads."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def state_of(path: str) -> str:
    """Content, mode and owner of a file in one line; of a directory without content, empty where there is nothing."""
    try:
        found = os.lstat(path)
        digest = "directory"
        if stat.S_ISREG(found.st_mode):
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
        elif not stat.S_ISDIR(found.st_mode):
            digest = "special"
        owner, group = pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return ""
    return f"{digest} {stat.S_IMODE(found.st_mode):04o} {owner} {group}"


def missing_packages(names: list[str]) -> list[str]:
    """Debian packages that are not installed."""
    installed = set()
    for line in printed("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n").splitlines():
        words = line.split()
        if words[1:] == ["ii"]:
            installed.add(words[0])
    return [name for name in names if name not in installed]


def unit_state(name: str, read: list[str]) -> dict[str, bool]:
    """State of a unit; ``stale`` when a file that it reads is newer than its last start or reload."""
    wanted = "ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestampMonotonic"
    lines = printed("systemctl", "show", f"--property={wanted}", name).splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    since = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    since += int(found.get("StateChangeTimestampMonotonic") or 0) / 1e6
    started = found.get("ActiveState") in ("active", "activating", "reloading")
    newer = any(os.path.exists(path) and os.stat(path).st_mtime > since for path in read)
    return {
        "started": started,
        "enabled": found.get("UnitFileState") == "enabled",
        "stale": started and (found.get("NeedDaemonReload") == "yes" or newer),
    }


def links() -> list[dict[str, Any]]:
    """The interfaces with their addresses."""
    found: list[dict[str, Any]] = json.loads(printed("ip", "-json", "address", "show") or "[]")
    return [link for link in found if link]


def networks_of(link: dict[str, Any]) -> list[str]:
    """Addresses of an interface with their prefix lengths, but for those of the link alone."""
    entries = [entry for entry in link.get("addr_info", []) if entry.get("scope") == "global"]
    return sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in entries)


def has_ipv6() -> bool:
    """Whether a new interface may have an IPv6 address."""
    try:
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", encoding="ascii") as stream:
            return stream.read().strip() == "0"
    except OSError:
        return False


def has_wireguard() -> bool:
    """Whether the kernel has WireGuard, loaded, built in or as a module."""
    try:
        tried = subprocess.run(["modprobe", "--dry-run", "--quiet", "wireguard"], check=False).returncode == 0
    except OSError:
        tried = False
    return tried or os.path.exists("/sys/module/wireguard")


def peers(interface: str) -> dict[str, list[str]]:
    """Fields of ``wg show dump`` by public key of the peer."""
    lines = printed("wg", "show", interface, "dump").splitlines()[1:]
    return {line.split("\t")[0]: line.split("\t") for line in lines}


def age(fields: list[str]) -> float | None:
    """Seconds since the last handshake with a peer, None when there was none."""
    return round(time.time() - int(fields[4]), 1) if int(fields[4]) else None


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Everything that the role must know before it changes a host."""
    interface = request["interface"]
    found = links()
    own = [link for link in found if link.get("ifname") == interface]
    table = printed("nft", "list", "table", "inet", request["table"])
    key = key_file(interface)
    return {
        "ipv6": has_ipv6(),
        "kernel": has_wireguard(),
        "packages": missing_packages(request["packages"]),
        "states": {path: state_of(path) for path in request["files"]},
        "key_state": " ".join(state_of(key).split()[1:]),
        "left": sorted(glob.glob(f"{_DIRECTORY}/{interface}.*")),
        "unit": unit_state(request["unit"], [*request["files"], key]),
        "table": bool(table),
        "interface": {"addresses": networks_of(own[0]), "mtu": own[0]["mtu"]} if own else None,
        "others": [one for link in found if link not in own for one in networks_of(link)],
        "public_key": public_key(key),
        "handshakes": {name: age(fields) for name, fields in peers(interface).items()},
    }


def switch(request: dict[str, Any]) -> dict[str, Any]:
    """Take the next key and configuration into use. What was replaced is gone afterwards."""
    interface = request["interface"]
    for path in (key_file(interface), f"{_DIRECTORY}/{interface}.conf"):
        if os.path.exists(f"{path}.next"):
            os.replace(f"{path}.next", path)
    done = subprocess.run(["systemctl", "reload-or-restart", request["unit"]], stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return {"public_key": public_key(key_file(interface))}


def provoke(address: str) -> None:
    """Send something into the tunnel, since keys are agreed upon only then; nobody listens to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sending:
            sending.sendto(b"", (address, _DISCARD))
    except OSError:
        pass  # no route yet


def wait(request: dict[str, Any]) -> dict[str, Any]:
    """Wait until the last handshake with a peer is so young that its session is in use."""
    end = time.monotonic() + request["timeout"]
    # Whole seconds is what WireGuard tells.
    changed = int(os.stat(key_file(request["interface"])).st_mtime) if request["renewed"] else 0
    while True:
        fields = peers(request["interface"]).get(request["peer"])
        last = age(fields) if fields else None
        ready = last is not None and last <= _FRESH and int(fields[4] if fields else 0) >= changed
        if ready or time.monotonic() > end:
            received, sent = (int(fields[5]), int(fields[6])) if fields else (0, 0)
            return {"ready": ready, "known": fields is not None, "sent": sent, "received": received}
        if request["renewed"]:
            provoke(request["renewed"])
        time.sleep(_INTERVAL)


def listen(request: dict[str, Any]) -> dict[str, Any]:
    """Whether anything that its key vouches for comes from a peer, which asks for a handshake every five seconds."""
    end = time.monotonic() + request["timeout"]
    before = peers(request["interface"]).get(request["peer"])
    while True:
        now = peers(request["interface"]).get(request["peer"])
        heard = before is not None and now is not None and now[5] != before[5]
        if heard or now is None or time.monotonic() > end:
            return {"known": now is not None, "heard": heard}
        time.sleep(_INTERVAL)


def main() -> None:
    """Do what is asked."""
    os.umask(0o077)
    request = json.loads(sys.argv[1])
    actions = {
        "look": look,
        "key": lambda asked: {"public_key": make_key(key_file(asked["interface"]))},
        "stage": lambda asked: {"public_key": make_key(key_file(asked["interface"], ".next"))},
        "switch": switch,
        "wait": wait,
        "listen": listen,
    }
    print(json.dumps(actions[request["action"]](request)))


if __name__ == "__main__":
    main()
