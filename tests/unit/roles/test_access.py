# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Role access: what it writes for sshd and nginx, and how it judges accounts and keys."""

from __future__ import annotations

import base64
import importlib.util
import os
import pwd
import re
import struct
import subprocess
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from access import ROLE, write
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

_ROUTER = "flwr/superlink/routers/control/router.py"
# Verbs of the Control API that nobody gets through nginx. A verb that is neither here nor in a list of the role is new.
_FOR_NOBODY = {
    # They submit later, and in nobody's name.
    "start-automation",
    # They need accounts, which Flower's open-source build has not.
    *("get-login-details", "get-auth-tokens", "refresh-auth-tokens"),
    *("create-federation", "archive-federation", "set-federation-icon", "configure-simulation-federation"),
    *("create-invitation", "list-invitations", "accept-invitation", "reject-invitation", "revoke-invitation"),
    "remove-account-from-federation",
    *("list-connectors", "disconnect-connector", "begin-connector-oauth", "complete-connector-oauth"),
}
_ED25519 = base64.b64encode(struct.pack(">I11sI32s", 11, b"ssh-ed25519", 32, b"k" * 32)).decode()


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"access_{name}", ROLE / "files" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


accounts, effective, ending = _script("accounts"), _script("effective"), _script("end")


def _verbs() -> dict[str, set[str]]:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    read, submit, operator = (set(variables[f"_access_verbs_{role}"]) for role in ("read", "submit", "operator"))
    return {"read": read, "submit": read | submit, "operator": read | submit | operator}


@pytest.fixture(name="written", scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("access")
    key = f"ssh-ed25519 {_ED25519} her laptop"
    write(
        directory,
        [
            {"name": "alice", "role": "submit", "uid": 999, "address": "127.1.3.231", "public_keys": [key, key]},
            {"name": "bob", "role": "operator", "uid": 256, "address": "127.1.1.0", "public_keys": [key]},
        ],
    )
    return directory


@pytest.mark.slow
def test_sshd_holds_a_user_to_his_own_address_before_the_group_is_held_to_none(written: Path) -> None:
    blocks = re.split(r"(?m)^Match ", (written / "sshd.conf").read_text())[1:]
    assert [block.splitlines()[0] for block in blocks] == ["User alice", "User bob", "Group flower-control", "all"]
    assert blocks[0].split()[2:] == ["PermitOpen", "127.1.3.231:8000"]
    assert blocks[1].split()[2:] == ["PermitOpen", "127.1.1.0:8000"]
    group = dict(line.split(maxsplit=1) for line in blocks[2].splitlines()[1:] if line.strip())
    assert group == {
        "AuthorizedKeysFile": "/etc/ssh/fact8ra/%u",
        "AuthorizedKeysCommand": "none",
        "TrustedUserCAKeys": "none",
        "AuthenticationMethods": "publickey",
        "PubkeyAuthentication": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AllowTcpForwarding": "local",
        "PermitOpen": "none",
        "PermitListen": "none",
        "GatewayPorts": "no",
        "AllowStreamLocalForwarding": "no",
        "AllowAgentForwarding": "no",
        "X11Forwarding": "no",
        "PermitTunnel": "no",
        "PermitTTY": "no",
        "PermitUserRC": "no",
        "ForceCommand": "/usr/local/lib/fact8ra/control-only",
        "ClientAliveInterval": "30",
        "ClientAliveCountMax": "4",
    }


@pytest.mark.slow
def test_a_key_carries_our_options_and_no_comment(written: Path) -> None:
    lines = (written / "keys-alice").read_text().splitlines()
    assert lines[0].startswith("#")
    assert (
        lines[1:]
        == [
            'restrict,port-forwarding,permitopen="127.1.3.231:8000",command="/usr/local/lib/fact8ra/control-only"'
            f" ssh-ed25519 {_ED25519}"
        ]
        * 2
    )


@pytest.mark.slow
def test_nginx_knows_a_user_by_the_address_and_lets_a_role_do_its_verbs_alone(written: Path) -> None:
    text = (written / "flower-control.conf").read_text()
    assert re.findall(r"listen ([0-9.:]+)", text) == ["127.1.3.231:8000", "127.1.1.0:8000", "127.0.0.3:8000"]
    assert re.findall(r"^    (127\S+) (\w+);", text, re.MULTILINE) == [
        ("127.1.3.231", "alice"),
        ("127.1.1.0", "bob"),
        ("127.1.3.231", "submit"),
        ("127.1.1.0", "operator"),
    ]
    allowed = re.findall(r'^    "~\^(\w+):\((.*)\)\\z" 1;$', text, re.MULTILINE)
    assert {role: set(verbs.split("|")) for role, verbs in allowed} == _verbs()
    assert text.count("default 0;") == 1
    for location in text.split("location ")[1:]:
        if "proxy_pass https://flower_control/" in location and "limit_req zone" not in location:
            assert location.index("if ($flower_control_may = 0)") < location.index("proxy_pass")


@pytest.mark.slow
def test_what_an_account_runs_ends_with_a_sentence(written: Path) -> None:
    done = subprocess.run(["sh", written / "control-only", "-c", "id"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "only opens the way to Flower's Control API" in done.stderr


@pytest.mark.flwr
def test_every_verb_of_flower_is_given_to_a_role_or_to_nobody() -> None:
    python = os.environ.get("FACT8RA_FLWR_PYTHON", str(ROLE.parents[1] / ".venv-flwr" / "bin" / "python"))
    (router,) = Path(python).parents[1].glob(f"lib/python3*/site-packages/{_ROUTER}")
    verbs = set(re.findall(r'@router\.post\("/([a-z-]+)"\)', router.read_text(encoding="utf-8")))
    assert verbs == _verbs()["operator"] | _FOR_NOBODY
    assert not _verbs()["operator"] & _FOR_NOBODY


def test_a_submitter_changes_no_federation() -> None:
    assert {verb for verb in _verbs()["submit"] if not verb.startswith(("list-", "show-", "get-", "stream-"))} == {
        "start-run",
        "stop-run",
        "pull-artifacts",
    }
    assert all(verb.startswith(("list-", "show-", "get-", "stream-")) for verb in _verbs()["read"])


def _admitted(role: str, **variables: Any) -> list[list[str]]:
    """The networks that a site's security group admits to port 22."""
    loader = DataLoader()
    site = loader.load_from_file(str(ROLE.parent / "site" / "vars" / "main.yml"), trusted_as_template=True)
    given = {"site_admin_sources": ["10.0.0.0/8"], "site_fleet_sources": [], "site_fleet_port": 8443}
    world = {"groups": {"sites": []}, "hostvars": {}}
    templar = Templar(loader=loader, variables={**site, **given, **world, **variables})
    rules = templar.template(site[f"_site_role_{role}"]["rules"])
    return [rule["cidrs"] for rule in rules if rule.get("range") == "22"]


def test_the_site_admits_users_to_the_superlink_alone() -> None:
    sources = ["192.0.2.0/24", "2001:db8:7::/48"]
    assert _admitted("superlink", access_sources=sources) == [["10.0.0.0/8"], ["192.0.2.0/24"]]
    assert _admitted("supernode", access_sources=sources) == [["10.0.0.0/8"]]
    # A rule without networks would admit every address.
    for none in ({}, {"access_sources": []}, {"access_sources": sources[1:]}):
        assert _admitted("superlink", **none) == [["10.0.0.0/8"]]


def _rsa(bits: int) -> str:
    modulus = b"\0" + (1 << bits - 1 | 1).to_bytes(bits // 8, "big")
    fields = (b"ssh-rsa", b"\1\0\1", modulus)
    return base64.b64encode(b"".join(struct.pack(">I", len(field)) + field for field in fields)).decode()


@pytest.mark.parametrize("line", [f"ssh-ed25519 {_ED25519}", f"ssh-ed25519 {_ED25519} a b", f"ssh-rsa {_rsa(3072)}"])
def test_a_key_is_taken(line: str) -> None:
    assert accounts.key_fault(line) == ""


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "not one line"),
        ("ssh-ed25519", "not one line"),
        (f"ssh-ed25519 {_ED25519}\nssh-ed25519 {_ED25519}", "not one line"),
        (f"ssh-ed25519 {_ED25519}\0", "not one line"),
        (f'command="id" ssh-ed25519 {_ED25519}', "options are not taken"),
        (f"restrict ssh-ed25519 {_ED25519}", "options are not taken"),
        (f"cert-authority ssh-ed25519 {_ED25519}", "options are not taken"),
        (f"ssh-dss {_ED25519}", "begins with none of"),
        (f"ssh-ed25519-cert-v01@openssh.com {_ED25519}", "begins with none of"),
        (f"ssh-ed25519  {_ED25519}", "holds no public key"),
        ("ssh-ed25519 $(id)", "holds no public key"),
        (f"ssh-ed25519 {_ED25519[:-12]}", "holds no public key"),
        ("ssh-ed25519 AAAA", "holds no public key"),
        (f"ecdsa-sha2-nistp256 {_ED25519}", "of another type"),
        (f"ssh-rsa {_rsa(2048)}", "RSA key of 2048 bits"),
    ],
)
def test_a_key_is_not_taken(line: str, fault: str) -> None:
    assert fault in accounts.key_fault(line)


@pytest.fixture(name="host")
def _host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A host's accounts, which a test may add to."""
    found = SimpleNamespace(users=[("root", 0, 0), ("www-data", 33, 33)], members=[], keys=tmp_path)

    def users() -> list[Any]:
        return [
            SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid, pw_shell="/shell", pw_dir="/nonexistent")
            for name, uid, gid in found.users
        ]

    group = SimpleNamespace(gr_name="flower-control", gr_gid=990, gr_mem=found.members)
    monkeypatch.setattr(accounts.pwd, "getpwall", users)
    monkeypatch.setattr(accounts.grp, "getgrall", lambda: [group])
    monkeypatch.setattr(accounts, "unlocked", lambda: {"root"})
    monkeypatch.setattr(accounts, "system_uids", lambda: range(100, 1000))
    return found


def _look(host: Any, *names: str) -> dict[str, Any]:
    users = [{"name": name, "public_keys": [f"ssh-ed25519 {_ED25519}"]} for name in names]
    request = {
        "group": "flower-control",
        "shell": "/shell",
        "home": "/nonexistent",
        "keys": str(host.keys),
        "users": users,
    }
    found: dict[str, Any] = accounts.look(request)
    return found


def test_accounts_get_free_uids_and_keep_those_that_they_have(host: Any) -> None:
    host.users += [("other", 999, 999), ("bob", 256, 990)]
    found = _look(host, "alice", "bob", "carol")
    assert [(user["name"], user["uid"], user["address"], user["role"]) for user in found["users"]] == [
        ("alice", 998, "127.1.3.230", "submit"),
        ("bob", 256, "127.1.1.0", "submit"),
        ("carol", 997, "127.1.3.229", "submit"),
    ]
    assert (found["wrong"], found["strangers"], found["refused"]) == (["alice", "carol"], [], [])


def test_an_account_of_something_else_is_not_taken_over(host: Any) -> None:
    assert _look(host, "www-data")["refused"] == [
        "access_users: www-data is an account of this host already, take another name"
    ]
    assert _look(host, "root")["refused"]


def test_a_uid_that_makes_no_address_is_refused(host: Any) -> None:
    host.users.append(("alice", 70000, 990))
    assert "the uid 70000 of alice is not in 1 to 65535" in _look(host, "alice")["refused"][0]


def test_a_member_that_was_added_by_hand_is_refused(host: Any) -> None:
    host.members.append("root")
    assert "gpasswd -d root flower-control" in _look(host)["refused"][0]


def test_a_host_without_a_free_uid(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "system_uids", lambda: range(999, 1000))
    found = _look(host, "alice", "bob")
    assert found["refused"] == ["access_users, user bob: this host has no free uid for a system account"]


def test_who_is_not_wanted_is_found_with_his_key(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host.users += [("alice", 998, 990), ("bob", 997, 990)]
    for name in ("alice", "bob", "gone"):
        (host.keys / name).touch()
    monkeypatch.setattr(accounts, "unlocked", lambda: {"alice"})
    found = _look(host, "alice")
    assert found["strangers"] == [{"name": "bob", "uid": 997}]
    assert found["stray"] == ["bob", "gone"]
    assert found["wrong"] == ["alice"], "she has a password"


def test_passwords_and_uids_of_the_host(tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.write_text("a:*:1::::::\nb:!:1::::::\nc:$y$j9T$x:1::::::\nd::1::::::\n")
    assert accounts.unlocked(str(shadow)) == {"b", "c", "d"}
    defs = tmp_path / "login.defs"
    defs.write_text("# SYS_UID_MIN 1\nSYS_UID_MIN\t\t201\nSYS_UID_MAX 400\nUID_MAX 60000\n")
    assert accounts.system_uids(str(defs)) == range(201, 401)
    assert accounts.system_uids(str(tmp_path / "none")) == range(100, 1000)


def _sshd(monkeypatch: pytest.MonkeyPatch, status: int, printed: str, told: str = "") -> None:
    def run(command: list[str], **_options: Any) -> Any:
        assert command[:3] == ["/usr/sbin/sshd", "-T", "-C"]
        return SimpleNamespace(returncode=status, stdout=printed.encode(), stderr=told.encode())

    monkeypatch.setattr(effective.subprocess, "run", run)


def test_what_sshd_really_does_is_held_against_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    _sshd(monkeypatch, 0, "permittty no\nallowtcpforwarding yes\npermitopen 127.1.0.1:8000\nacceptenv A\nacceptenv B\n")
    wanted = {"permittty": "no", "allowtcpforwarding": "local", "permitlisten": "none", "acceptenv": "A B"}
    assert effective.faults({"alice": wanted}) == [
        "sshd holds alice to allowtcpforwarding yes in place of local",
        "sshd holds alice to permitlisten unset in place of none",
    ]
    _sshd(monkeypatch, 255, "", "line 3: Bad configuration option")
    with pytest.raises(SystemExit, match="line 3: Bad configuration option"):
        effective.faults({"alice": wanted})


@pytest.mark.root
def test_the_processes_of_a_user_end_and_no_others() -> None:
    uid, other = 60123, 60124
    assert not {uid, other} & {entry.pw_uid for entry in pwd.getpwall()}
    command = ["/bin/sleep", "60"]
    with (
        subprocess.Popen(command, user=uid, group=uid, cwd="/") as his,
        subprocess.Popen(command, user=other, group=other, cwd="/") as theirs,
    ):
        try:
            deadline = time.monotonic() + 10
            while his.pid not in ending.processes({uid}):
                assert time.monotonic() < deadline
            # Nobody waits for it before it has ended, so that a zombie is left, which is no process any more.
            assert ending.end({uid}) >= 1
            assert his.wait(10) == -9
            assert theirs.poll() is None
        finally:
            theirs.kill()
            his.kill()
