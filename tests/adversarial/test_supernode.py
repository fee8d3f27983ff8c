# SPDX-License-Identifier: Apache-2.0
"""Somebody who is root on a SuperNode's host: what he may reach, and whom he may deceive."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from adversary import Federation, Host, World, unfettered
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

# What a sibling might be made to say about itself: who it is, where it is, what it trusts.
LIES = {
    "FL_ENDPOINT": "10.71.59.10:8443",
    "FL_CA_CERT": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    "FL_ROLE": "supernode",
    "SSH_PORT": "2222",
    "IP": "10.71.59.10",
    "ANSIBLE_HOST": "10.71.59.10",
    "FLOWER_PUBLIC_KEY": "ecdsa-sha2-nistp384 AAAA",
    "NODE_CONFIG": "{{ lookup('pipe', 'touch /tmp/hostile-lookup') }}",
}


def _where(federation: Federation) -> dict[str, object]:
    """What the inventory makes of the cloud: groups, and how each host is reached."""
    read = Federation(federation.inventory)
    groups = {
        name: group.get("hosts") for name, group in read.groups.items() if isinstance(group, dict) and name != "_meta"
    }
    keys = ("ansible_host", "ansible_port", "ansible_user", "ansible_connection", "site_name")
    return {
        "groups": groups,
        "hosts": {name: {key: values.get(key) for key in keys} for name, values in read.variables.items()},
    }


def _trust(host: Host) -> str:
    return host.run("cat /etc/flower/trust.crt /etc/systemd/system/flower-*.service | sha256sum").stdout


@promise(
    "What OneGate says of a VM moves no trust and no address.",
    attempt="a SuperNode rewrites its siblings' data by OneGate",
)
def test_rewritten_onegate_data_changes_nothing(world: World, attempt: Attempt) -> None:
    ours = world.ours
    site = str(ours.superlink.variables["site_name"])
    siblings = [each for each in (ours.superlink, *ours.supernodes) if each.variables["site_name"] == site]
    attacker = siblings[-1]
    before, trusted = _where(ours), [_trust(host) for host in siblings]
    given = attacker.context
    for victim in siblings:
        for name, value in LIES.items():
            data = shlex.quote(f"{name}={value}")
            number = victim.variables["one_vm_id"]
            put = f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 10 -X PUT -H 'X-ONEGATE-VMID: {given['VMID']}' "
            put += (
                f"-H 'X-ONEGATE-TOKEN: {given['TOKENTXT']}' --data-raw {data} {given['ONEGATE_ENDPOINT']}/vms/{number}"
            )
            status = attacker.run(put).stdout
            assert status == "200", f"{victim.name}: {name}: {status}"
    _agreed, shown = ours.one(site, "one.vm.info", int(ours.superlink.variables["one_vm_id"]))
    attempt.control(LIES["FL_ENDPOINT"] in shown, "OneGate takes the lies: the SuperLink's VM carries them")
    try:
        after = _where(ours)
        again = ours.play("site").succeeded()
        moved = [host.name for host, old in zip(siblings, trusted, strict=True) if _trust(host) != old]
        attempt.outcome(
            f"site.yml: {again.changed} changed; the inventory {'is the same' if after == before else 'differs'}; "
            f"trust moved on {len(moved)} of {len(siblings)} hosts"
        )
        assert after == before
        assert again.changed == 0, again.tail()
        assert moved == []
    finally:
        for victim in siblings:
            for name in LIES:
                number = victim.variables["one_vm_id"]
                attacker.run(
                    f"curl -s -X PUT -H 'X-ONEGATE-VMID: {given['VMID']}' -H 'X-ONEGATE-TOKEN: {given['TOKENTXT']}' "
                    f"--data-raw {name} '{given['ONEGATE_ENDPOINT']}/vms/{number}?type=2'"
                )


@promise(
    "A SuperNode's key and host open the Fleet API of its own SuperLink alone.",
    attempt="the Control API from a SuperNode's host, port {port}",
)
@pytest.mark.parametrize("port", [8000, 8443])
def test_the_control_api_is_out_of_reach(world: World, attempt: Attempt, port: int) -> None:
    node, superlink = world.ours.supernodes[0], world.ours.superlink
    ask = (
        "curl -s -o /dev/null -w '%{{http_code}}' --max-time 8 --cacert /etc/flower/trust.crt -X POST "
        "-H 'Content-Type: application/protobuf' https://{address}:{port}/v1/control/list-nodes"
    )
    own = superlink.run(ask.format(address="127.0.0.1", port=8000)).stdout
    attempt.control(own == "200", f"root on the SuperLink's host is answered {own}")
    with unfettered(node):
        status = node.run(ask.format(address=_bracketed(node.superlink[0]), port=port), check=False).stdout
        direct = node.run(ask.format(address=superlink.address, port=port), check=False).stdout
    attempt.outcome(f"status {status} and {direct} (000: no connection)")
    assert {status, direct} <= {"000", "404"}


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@promise(
    "A SuperNode's key and host open the Fleet API of its own SuperLink alone.",
    attempt="A's registered key at the SuperLink of B",
)
def test_a_key_is_nothing_to_another_federation(world: World, attempt: Attempt) -> None:
    node = world.ours.supernodes[0]
    key = node.run("cat /etc/flower/supernode.key").stdout
    foreign = world.theirs.supernodes[0]
    attempt.control(_online(world.theirs.superlink) >= 1, "B's own SuperNode is online there")
    try:
        foreign.run("umask 077; mkdir -p /run/hostile; cat > /run/hostile/key", given=key)
        address, port = foreign.superlink
        said = foreign.run(
            f"cd /run/hostile && FLWR_HOME=/run/hostile timeout 60 /opt/flower/venv/bin/flower-supernode "
            f"--superlink {_bracketed(address)}:{port} --root-certificates /etc/flower/trust.crt "
            "--auth-supernode-private-key key --isolation process --port 9999 2>&1",
            check=False,
        )
    finally:
        foreign.run("rm -rf /run/hostile")
    code = re.search(r"Exit Code: (\d+)", said.stdout)
    attempt.outcome(f"exit status {said.returncode}, code {code[1] if code else '-'}")
    assert said.returncode == 1
    assert code is not None
    assert code[1] == "305"


def _online(superlink: Host) -> int:
    asked = superlink.run(
        "journalctl -u flower-superlink --no-pager -o cat -n 2000 | grep -c 'POST /v1/fleet/.* 200' || true"
    ).stdout
    return int(asked)


@promise(
    "A host holds nothing of another federation.",
    attempt="root on a SuperNode of A searches it for anything of B",
)
def test_nothing_of_another_federation_is_there(world: World, attempt: Attempt) -> None:
    node = world.ours.supernodes[0]

    def fingerprints(federation: Federation) -> list[str]:
        pki = federation.directory / "pki"
        return [line for path in (pki / "ca.crt", pki / "superlink.crt") for line in path.read_text().splitlines()[1:3]]

    def found(lines: list[str]) -> list[str]:
        # In two halves, so that the search does not find itself.
        script = "import json,os,sys\nneedles=[a+b for a,b in json.loads(sys.argv[1])]\n" + _SEARCH
        halves = json.dumps([[line[:20], line[20:]] for line in lines])
        return node.run(f"python3 - {shlex.quote(halves)}", given=script).stdout.split()

    own = found(fingerprints(world.ours))
    attempt.control("/etc/flower/trust.crt" in own, "the same search finds A's own CA")
    theirs = found(fingerprints(world.theirs))
    attempt.outcome(f"{len(theirs)} files hold a trace of B's CA or SuperLink")
    assert theirs == []


_SEARCH = """
for top in ("/etc", "/var", "/run", "/root", "/tmp", "/opt/flower", "/home"):
    for directory, names, files in os.walk(top):
        for name in files:
            path = os.path.join(directory, name)
            try:
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 50_000_000:
                    data = open(path, "rb").read()
                    if any(needle.encode() in data for needle in needles):
                        print(path)
            except OSError:
                pass
"""


@promise(
    "A peer of the tunnel is heard under its own address alone.",
    attempt="a SuperNode behind the tunnel sends from another peer's address",
)
def test_a_foreign_tunnel_address_is_dropped(world: World, attempt: Attempt) -> None:
    inside = [node for node in world.ours.supernodes if node.run("ip link show fact8ra0", check=False).returncode == 0]
    assert inside, "no SuperNode of this lab is behind the tunnel"
    node = inside[0]
    hub, port = node.superlink
    family = "-6" if ":" in hub else "-4"
    shown = node.run(f"ip -br {family} addr show fact8ra0 scope global").stdout
    own = re.findall(r"([0-9a-f.:]+)/\d+", shown.split(None, 2)[2])[0]
    foreign = re.sub(r"[0-9a-f]+$", "f0" if ":" in own else "240", own)
    dial = (
        "import socket; s = socket.socket(socket.{family}); s.settimeout(6); s.bind(('{source}', 0)); "
        "s.connect(('{hub}', {port})); print('connected')"
    )

    def dialled(source: str) -> str:
        program = dial.format(family="AF_INET6" if ":" in hub else "AF_INET", source=source, hub=hub, port=port)
        return node.run(f"python3 -c {shlex.quote(program)}", check=False).stdout.strip()

    with unfettered(node):
        attempt.control(dialled(own) == "connected", "from its own address it reaches the SuperLink")
        node.run(f"ip addr add {foreign}/{'128' if ':' in foreign else '32'} dev fact8ra0")
        try:
            result = dialled(foreign)
        finally:
            node.run(f"ip addr del {foreign}/{'128' if ':' in foreign else '32'} dev fact8ra0")
    attempt.outcome(result or "no answer")
    assert result == ""


@promise(
    "Keys on a host are read by their own service's user and root alone.", attempt="every key file's mode and owner"
)
def test_keys_on_hosts_are_closed(world: World, attempt: Attempt) -> None:
    hosts = [world.ours.superlink, *world.ours.supernodes]
    seen = []
    for host in hosts:
        listed = host.run(
            "find /etc/flower /etc/wireguard /etc/fact8ra -type f '(' -name '*key*' -o -name '*.secret' ')' "
            "-printf '%m %U %p\\n' 2>/dev/null || true"
        ).stdout
        seen += [(host.name, *line.split()) for line in listed.splitlines()]
    attempt.control(len(seen) >= len(hosts), f"{len(seen)} key files on {len(hosts)} hosts")
    private = [each for each in seen if not each[3].endswith(".pub")]
    loose = [" ".join(each) for each in private if int(each[1], 8) & 0o077]
    refused = [
        host.run(f"runuser -u nobody -- cat {path}", check=False).returncode != 0
        for host in hosts
        for name, _mode, _user, path in private
        if name == host.name
    ]
    attempt.outcome(f"{len(loose)} open to others; {sum(refused)} of {len(refused)} refused to another user")
    assert loose == []
    assert all(refused)
