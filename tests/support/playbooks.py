# SPDX-License-Identifier: Apache-2.0
"""Running this collection's playbooks as a user does, and reading what they print."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

_RECAP = re.compile(r"^(?P<host>\S+)\s+: (?P<counts>ok=.*)$", re.MULTILINE)
_TIMEOUT = 900


@dataclass(frozen=True)
class Played:
    """A playbook that has ended.

    Attributes:
        returncode: exit status of ansible-playbook.
        output: standard output and error, as they came.
        seconds: wall time.
    """

    returncode: int
    output: str
    seconds: float
    recap: dict[str, dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        """Read the recap: host to counters (ok, changed, failed, unreachable, ...)."""
        hosts = {
            match["host"]: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", match["counts"])}
            for match in _RECAP.finditer(self.output)
        }
        object.__setattr__(self, "recap", hosts)

    @property
    def changed(self) -> int:
        """Number of changed tasks on all hosts."""
        return sum(counts["changed"] for counts in self.recap.values())

    def succeeded(self) -> Played:
        """This result, when the playbook ended well; fails the test with its last lines otherwise."""
        assert self.returncode == 0, self.tail()
        return self

    def failed_with(self, *texts: str) -> Played:
        """This result, when the playbook failed with all these texts and without a traceback."""
        assert self.returncode != 0, self.tail()
        flat = " ".join(self.output.split())
        for text in texts:
            assert text in flat, f"{text!r} is not in:\n{self.tail()}"
        assert "Traceback (most recent call last)" not in self.output, self.tail()
        return self

    def tail(self, lines: int = 60) -> str:
        """The last lines of the output, with the exit status."""
        return f"exit status {self.returncode}\n" + "\n".join(self.output.splitlines()[-lines:])


def _command(playbook: str, inventory: str | Path, arguments: tuple[str, ...]) -> list[str]:
    program = Path(sys.executable).with_name("ansible-playbook")
    return [str(program), "-i", str(inventory), f"playbooks/{playbook}.yml", *arguments]


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        **(extra or {}),
    }


def play(
    playbook: str,
    *arguments: str,
    inventory: str | Path = "inventories/lab",
    environment: Mapping[str, str] | None = None,
) -> Played:
    """Run playbooks/<playbook>.yml to its end."""
    return _run(_command(playbook, inventory, arguments), ROOT, environment)


def _run(command: list[str], directory: Path, environment: Mapping[str, str] | None = None) -> Played:
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=directory,
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    return Played(done.returncode, done.stdout, time.monotonic() - started)


def play_written(directory: Path, plays: list[dict[str, Any]], inventory: Mapping[str, Any], *arguments: str) -> Played:
    """Write plays and an inventory into a directory and run them there."""
    (directory / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    (directory / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    return _run([str(program), "-i", "hosts.json", "play.yml", *arguments], directory)


def play_until(
    playbook: str,
    marker: str,
    *arguments: str,
    inventory: str | Path = "inventories/lab",
) -> Played:
    """Run playbooks/<playbook>.yml and kill it, with its workers, at the first line that holds the marker."""
    started = time.monotonic()
    process = subprocess.Popen(
        _command(playbook, inventory, arguments),
        cwd=ROOT,
        env={**_environment(None), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if marker in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    return Played(process.wait(timeout=_TIMEOUT), "".join(lines), time.monotonic() - started)
