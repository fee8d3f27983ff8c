# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole Flower federation on loopback: TLS, SuperNode authentication, process isolation, as the roles install it."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

REPOSITORY = Path(__file__).parents[3]
APPS = REPOSITORY / "tests" / "apps"
START_SECONDS = 90  # a Flower process needs 2 s of a free core to start; the machine may be busy


def free_ports(count: int) -> list[int]:
    """Return `count` TCP ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _unused in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for(what: str, check: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return once `check` is true; raises AssertionError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def self_signed(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and localhost that is its own authority; return (certificate, key)."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "superlink")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA384())
    )
    crt, pem = directory / "superlink.crt", directory / "superlink.key"
    crt.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return crt, pem


def supernode_key(directory: Path, name: str) -> tuple[Path, str]:
    """Write an OpenSSH P-384 key pair; return (private key, public key line)."""
    key = ec.generate_private_key(ec.SECP384R1())
    path = directory / f"{name}.key"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return path, f"{public.decode()} {name}"


@dataclass
class Federation:
    """The processes of one federation and where they keep things."""

    home: Path
    venv: Path
    port: int
    certificate: Path
    key: Path
    keys: dict[str, tuple[Path, str]]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """host:port of the SuperLink."""
        return f"127.0.0.1:{self.port}"

    @property
    def python(self) -> str:
        """The interpreter that has flwr."""
        return str(self.venv / "bin" / "python")

    @property
    def state_directory(self) -> Path:
        """Where flower_run keeps labels and logs."""
        return self.home / "state"

    @property
    def results_directory(self) -> Path:
        """Where the ServerApp leaves its results."""
        return self.home / "results"

    def log(self, name: str) -> str:
        """What the process has printed so far."""
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start a Flower process with the environment of the roles' units."""
        environment = {
            "PATH": f"{self.venv}/bin:/usr/bin:/bin",
            "FLWR_HOME": str(self.home / name),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "FACT8RA_RESULTS_DIR": str(self.results_directory),
            "HOME": str(self.home),
        }
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.venv / "bin" / program), *arguments],
                env=environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and those it started."""
        process = self.processes.pop(name)
        for sent in (how, signal.SIGKILL):
            try:
                os.killpg(process.pid, sent)
            except ProcessLookupError:
                break
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                continue

    def start_superlink(self) -> None:
        """Start the SuperLink; returns when /health answers."""
        self.start(
            "superlink", "flower-superlink",
            "--ssl-certfile", str(self.certificate), "--ssl-keyfile", str(self.key),
            "--ssl-ca-certfile", str(self.certificate), "--host", "127.0.0.1", "--port", str(self.port),
            "--isolation", "process", "--superexec-auth-secret-file", str(self.home / "secret"),
            "--database", str(self.home / "state.db"), "--enable-supernode-auth",
        )  # fmt: skip
        wait_for("the SuperLink", self.healthy)

    def healthy(self) -> bool:
        """Whether the SuperLink answers /health over TLS."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            assert self.processes["superlink"].poll() is None, self.log("superlink")
            return False
        finally:
            connection.close()

    def start_superexec(self) -> None:
        """Start the SuperExec of the SuperLink."""
        self.start(
            "superexec", "flower-superexec", "--runtime-api-address", self.address,
            "--root-certificates", str(self.certificate),
            "--superexec-auth-secret-file", str(self.home / "secret"),
        )  # fmt: skip

    def start_supernode(self, name: str, key: str = "", certificate: Path | None = None, more: str = "") -> None:
        """Start a SuperNode; its SuperExec is its own child here, a host of its own has two units instead.

        `key` is the name of the SuperNode whose key it has, by default its own, `certificate` what it trusts, and
        `more` what its configuration has besides its name.
        """
        (port,) = free_ports(1)
        self.start(
            name, "flower-supernode", "--superlink", self.address,
            "--root-certificates", str(certificate or self.certificate),
            "--auth-supernode-private-key", str(self.keys[key or name][0]),
            "--node-config", f'name="{name}" site="loop" {more}', "--port", str(port),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Environment of ansible-core's programs: the checkout's configuration, no colours."""
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "LC_ALL": "C.UTF-8",
        }

    def command(self, name: str, *flags: str, **arguments: Any) -> list[str]:
        """Return the command that runs a module against this federation."""
        arguments = {"address": self.address, "root_certificates": str(self.certificate), **arguments}
        if name == "flower_run":
            arguments.setdefault("state_directory", str(self.state_directory))
            arguments.setdefault("results_directory", str(self.results_directory))
        program = str(Path(sys.executable).parent / "ansible")
        return [
            program, "localhost", "-c", "local", "-e", f"ansible_python_interpreter={self.python}",
            "-m", f"fact8ra.flower.{name}", "-a", json.dumps(arguments), *flags,
        ]  # fmt: skip

    def popen(self, name: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start a module in a process group of its own and return at once."""
        return subprocess.Popen(
            self.command(name, **arguments),
            env=self.environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def module(self, name: str, *flags: str, **arguments: Any) -> dict[str, Any]:
        """Run a module against this federation through Ansible; return its result, with `failed` always there."""
        done = self._run(self.command(name, *flags, **arguments))
        found = re.search(r"^localhost \| (\w+)!? => (\{.*)", done.stdout, re.DOTALL | re.MULTILINE)
        assert found, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        result, _unused = json.JSONDecoder().raw_decode(found.group(2))
        return {**result, "failed": found.group(1) == "FAILED"}

    def playbook(self, inventory: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the collection; its output, errors included, is in `stdout`."""
        program = str(Path(sys.executable).parent / "ansible-playbook")
        return self._run([program, "-i", str(inventory), str(REPOSITORY / "playbooks" / name), *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if "ansible-playbook" in command[0] else subprocess.PIPE,
            text=True,
            timeout=600,
            check=False,
        )

    def start_playbook(self, inventory: Path, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a playbook and return at once."""
        program = str(Path(sys.executable).parent / "ansible-playbook")
        return subprocess.Popen(
            [program, "-i", str(inventory), str(REPOSITORY / "playbooks" / name), *arguments],
            env=self.environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def inventory(self, directory: Path, extra: dict[str, dict[str, Any]] | None = None) -> Path:
        """Write an inventory of this federation, every host being this computer; `extra` are SuperNodes too many."""
        supernodes: dict[str, dict[str, Any]] = {
            name: {"verify_supernode_key": str(self.keys[name][0])} for name in ("node-a", "node-b")
        }
        supernodes |= extra or {}
        variables = {
            "ansible_connection": "local",
            "federation_name": "loop",
            "federation_directory": str(directory / "controller"),
            "run_control_address": self.address,
            "run_root_certificates": str(self.certificate),
            "run_python": self.python,
            "run_server_results_directory": str(self.results_directory),
            "run_state_directory": str(self.state_directory),
            "verify_control_address": self.address,
            "verify_superlink_address": "127.0.0.1",
            "verify_superlink_port": self.port,
            "verify_root_certificates": str(self.certificate),
            "verify_python": self.python,
            "verify_timeout": 2 if extra else 60,
            "verify_supernode_unit": "",
            "verify_certificate_days": 0,
        }
        groups = {
            "superlink": {"hosts": {"link": {}}},
            "supernodes": {"hosts": supernodes},
        }
        path = directory / "hosts.yml"
        path.write_text(json.dumps({"all": {"vars": variables, "children": groups}}), encoding="utf-8")
        return path


@pytest.fixture(scope="session", name="wait_for")
def wait_for_fixture() -> Callable[..., None]:
    """The function `wait_for`, for test modules."""
    return wait_for


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens."""
    return free_ports(1)[0]


@pytest.fixture
def other_certificate(tmp_path: Path) -> Path:
    """A certificate that has nothing to do with the federation's."""
    return self_signed(tmp_path)[0]


@pytest.fixture(scope="session")
def flwr_venv() -> Path:
    """The virtual environment with Flower, as on the nodes; without it these tests fail, they do not skip."""
    python = os.environ.get("FACT8RA_FLWR_PYTHON", str(REPOSITORY / ".venv-flwr" / "bin" / "python"))
    venv = Path(python).parents[1]
    if not (venv / "bin" / "flower-superlink").exists():
        pytest.fail(f"{venv} has no flower-superlink: run `make flwr-venv`, or set FACT8RA_FLWR_PYTHON")
    return venv


@pytest.fixture(scope="session")
def cold(flwr_venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation with its keys, nothing started; what a test starts is ended after the session."""
    home = tmp_path_factory.mktemp("federation")
    certificate, key = self_signed(home)
    (home / "secret").write_bytes(secrets.token_bytes(32))
    (home / "secret").chmod(0o600)
    names = ("node-a", "node-b", "node-c", "node-b2", "node-unknown", "node-revoked", "node-twin", "node-foreign")
    keys = {name: supernode_key(home, name) for name in names}
    (port,) = free_ports(1)
    federation = Federation(home, flwr_venv, port, certificate, key, keys)
    yield federation
    for name in list(federation.processes):
        federation.stop(name)


@pytest.fixture(scope="session")
def federation(cold: Federation) -> Federation:
    """SuperLink and SuperExec running, node-a and node-b registered and online."""
    cold.start_superlink()
    cold.start_superexec()
    supernodes = [{"name": name, "public_key": cold.keys[name][1]} for name in ("node-a", "node-b")]
    registered = cold.module("flower_supernode", supernodes=supernodes)
    assert registered["changed"], registered
    for name in ("node-a", "node-b"):
        cold.start_supernode(name)
    info = cold.module("flower_federation_info", expected=["node-a", "node-b"], wait_timeout=START_SECONDS)
    assert info["missing"] == [], info
    return cold
