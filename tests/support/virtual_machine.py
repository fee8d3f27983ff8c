# SPDX-License-Identifier: Apache-2.0
"""A whole machine under QEMU: firmware, GRUB, an emulated IOMMU and PCI devices behind root ports.

QEMU translates the guest's code (TCG): the machines that tests run on often have no KVM for a distribution's kernel.
Everything ends with the context of `VirtualMachine`, and with this process if that is killed.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import machine_image

from fact8ra_lab.hosts._system import wait_until

# The CPU that goes with an IOMMU, as the vendor of the CPU tells which parameters a kernel wants.
CPUS = {"intel-iommu": "Nehalem", "amd-iommu": "Opteron_G3"}
SSH = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
)
CONSOLE_LINES = 60


class MachineError(Exception):
    """The machine did not do what was asked; the text ends with the last lines of its console."""


@dataclass
class VirtualMachine:
    """A machine that runs while the context lasts.

    Attributes:
        image: the disk that it starts from; its own writes go elsewhere.
        directory: for its disk, key and sockets; removed by the caller.
        console_log: gets what the machine writes to its serial port.
        devices: values of QEMU's -device, in this order.
        iommu: model of the IOMMU, a key of CPUS, or "" for none.
        port: TCP port on 127.0.0.1 that leads to the machine's SSH.
    """

    image: Path
    directory: Path
    console_log: Path
    devices: Sequence[str] = ()
    iommu: str = "intel-iommu,intremap=on,caching-mode=on"
    memory_mb: int = 1536
    cpus: int = 1
    port: int = field(init=False, default=0)
    _ends: ExitStack = field(init=False, default_factory=ExitStack)

    @property
    def key(self) -> Path:
        """The private key that root's account takes."""
        return self.directory / "id"

    def __enter__(self) -> VirtualMachine:
        """Start it; `wait_for_ssh` waits until it is up."""
        try:
            self._start()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, as by pulling the plug."""
        self._ends.close()

    def _start(self) -> None:
        disk, monitor = self.directory / "disk.qcow2", self.directory / "qmp"
        self._ends.callback(disk.unlink, missing_ok=True)
        machine_image.overlay(self.image, disk)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        keys = base64.b64encode(self.key.with_suffix(".pub").read_bytes()).decode()
        credential = f"io.systemd.credential.binary:ssh.authorized_keys.root={keys}"
        model = self.iommu.partition(",")[0]
        devices = [
            *([self.iommu] if self.iommu else []),
            "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x2",
            "virtio-net-pci,netdev=user,romfile=,bus=pcie.0,addr=0x3",
            "virtio-rng-pci,bus=pcie.0,addr=0x4",
            *self.devices,
        ]
        command = [
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config"),
            *("-display", "none", "-vga", "none", "-machine", "q35"),
            *("-accel", "tcg,thread=multi", "-cpu", CPUS.get(model, "Nehalem")),
            *("-smp", str(self.cpus), "-m", str(self.memory_mb)),
            *("-smbios", f"type=11,value={credential}"),
            *("-drive", f"id=disk,if=none,format=qcow2,cache=unsafe,file={disk}"),
            *("-netdev", "user,id=user,hostfwd=tcp:127.0.0.1:0-:22"),
            *("-chardev", f"file,id=console,path={self.console_log}", "-serial", "chardev:console"),
            *("-qmp", f"unix:{monitor},server=on,wait=off"),
            *(word for device in devices for word in ("-device", device)),
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._ends.callback(self._end, process)
        if not wait_until(lambda: monitor.exists() or process.poll() is not None, 30):
            raise MachineError("QEMU opened no monitor")
        if process.poll() is not None:
            assert process.stderr is not None
            raise MachineError(f"QEMU ended at once: {process.stderr.read()}")
        self.port = _forwarded_port(monitor)

    def _end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()

    def console(self) -> str:
        """The last lines of the console."""
        text = self.console_log.read_text(encoding="utf-8", errors="replace") if self.console_log.exists() else ""
        return "\n".join(text.splitlines()[-CONSOLE_LINES:])

    def wait_for_ssh(self, timeout: float = 240) -> float:
        """Wait until root can log in; returns the seconds that took.

        Raises MachineError after `timeout` seconds.
        """
        started = time.monotonic()
        if not wait_until(lambda: self.try_run("true", timeout=30).returncode == 0, timeout, interval=1):
            raise MachineError(f"no SSH after {timeout:.0f} s; the console:\n{self.console()}")
        return time.monotonic() - started

    def ssh(self) -> list[str]:
        """The command that logs in, to be followed by what to run."""
        control = f"ControlPath={self.directory / 'ssh'}"
        options = [*SSH, "-o", "ControlMaster=auto", "-o", "ControlPersist=30", "-o", control]
        return ["ssh", *options, "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1"]

    def try_run(self, command: str, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root, whatever becomes of it."""
        try:
            return subprocess.run(
                [*self.ssh(), command], input=stdin or "", capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(error.cmd, 255, "", f"not finished within {timeout:.0f} s")

    def run(self, command: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a shell command as root and return its output without the last line feed.

        Raises MachineError when it fails.
        """
        done = self.try_run(command, stdin, timeout)
        if done.returncode != 0:
            raise MachineError(f"`{command}` failed with {done.returncode}: {done.stderr}\n{self.console()}")
        return done.stdout.rstrip("\n")

    def python(self, script: str, *arguments: str, timeout: float = 120) -> Any:
        """Run a Python script in the machine; returns what it prints, as JSON."""
        return json.loads(self.run(shlex.join(["python3", "-", *arguments]), script, timeout))

    def variables(self) -> Mapping[str, Any]:
        """The variables of an inventory by which Ansible reaches it."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(SSH),
        }


def _forwarded_port(monitor: Path) -> int:
    """Ask QEMU for the port that it listens on, which the kernel chose."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(monitor))
        with connection.makefile("rw", encoding="utf-8") as stream:
            stream.readline()
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": "human-monitor-command", "arguments": {"command-line": "info usernet"}},
            ):
                stream.write(json.dumps(command) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
    found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s", str(answer.get("return")))
    if found is None:
        raise MachineError(f"QEMU forwards no port: {answer}")
    return int(found[1])
