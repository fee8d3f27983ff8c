# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Containers as a runtime. A mock of podman stands where a registry and root would be needed."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import playbooks
import pytest
import rendering

_FILES = Path(__file__).parents[3] / "roles" / "flower" / "files"
_IMAGE = "docker.io/flwr/superlink@sha256:" + "a" * 64
_OTHER = "docker.io/flwr/superlink@sha256:" + "b" * 64


def _load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"flower_containers_{name}", _FILES / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


images, look, ready = (_load(name) for name in ("images", "look", "ready"))


class _Podman:
    """A program `podman` whose store, archives and registry are files of a directory."""

    def __init__(self, directory: Path) -> None:
        self.store, self.archive, self.registry = (directory / name for name in ("store", "archive.tar", "registry"))
        for path in (self.store, self.archive, self.registry):
            path.write_text("")
        self.calls, self.version = directory / "calls", directory / "version"
        self.calls.write_text("")
        self.version.write_text("Flower version: 1.41.0\n")
        program = directory / "podman"
        program.write_text(
            f"""#!/bin/sh
cd {directory} || exit 9
echo "$@" >> calls
case "$1" in
    image) grep -qxF "$3" store ;;
    load) cat "$4" >> store ;;
    pull) grep -xF "$3" registry >> store || {{ echo "no such manifest" >&2; exit 125; }} ;;
    images) cat store ;;
    run) cat version ;;
esac
"""
        )
        program.chmod(0o755)

    def bring(self, archives: bool = False, version: str = "1.41.0") -> None:
        """Ask for one image."""
        entry = {"image": _IMAGE, "program": "flower-superlink"}
        images.bring({"images": [entry], "archives": [str(self.archive)] if archives else [], "version": version})


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Podman:
    """A podman without images."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return _Podman(tmp_path)


def test_an_image_comes_from_its_registry_by_digest_and_is_asked_for_its_version(podman: _Podman) -> None:
    podman.registry.write_text(f"{_IMAGE}\n")
    podman.bring()
    asked = podman.calls.read_text().splitlines()
    assert f"pull --quiet {_IMAGE}" in asked
    assert asked[-1].startswith("run --rm --pull=never --network=none ")
    assert asked[-1].endswith(f"--entrypoint flower-superlink {_IMAGE} --version")


def test_an_image_comes_from_an_archive_and_no_registry_is_asked(podman: _Podman) -> None:
    podman.archive.write_text(f"{_IMAGE}\n")
    podman.bring(archives=True)
    assert "pull --quiet" not in podman.calls.read_text()


def test_an_archive_with_another_digest_is_refused_with_what_it_brought(podman: _Podman) -> None:
    podman.archive.write_text(f"{_OTHER}\n")
    with pytest.raises(images.ImageError, match=f"in none of flower_image_archives, which brought {_OTHER}"):
        podman.bring(archives=True)


def test_a_registry_that_does_not_have_it_is_told_with_the_way_out(podman: _Podman) -> None:
    with pytest.raises(images.ImageError, match=r"no such manifest\n.*give flower_image_archives"):
        podman.bring()


@pytest.mark.parametrize(("printed", "reason"), [("Flower version: 1.40.0\n", "has Flower 1.40.0"), ("", "no flower-")])
def test_an_image_with_another_flower_is_refused(podman: _Podman, printed: str, reason: str) -> None:
    podman.registry.write_text(f"{_IMAGE}\n")
    podman.version.write_text(printed)
    with pytest.raises(images.ImageError, match=reason):
        podman.bring()


def test_look_tells_missing_images_and_all_without_podman(podman: _Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    podman.store.write_text(f"{_IMAGE}\n")
    assert look.missing_images([_IMAGE, _OTHER]) == [_OTHER]
    monkeypatch.setenv("PATH", "/nonexistent")
    assert look.missing_images([_IMAGE, _OTHER]) == [_IMAGE, _OTHER]


@pytest.mark.parametrize(
    ("policy", "version"),
    [
        ("podman:\n  Installed: (none)\n  Candidate: 4.3.1+ds1-8+deb12u1\n", "4.3.1+ds1-8+deb12u1"),
        ("podman:\n  Installed: 5.4.2+ds1-2\n  Candidate: 5.5.0\n", "5.4.2+ds1-2"),
        ("", ""),
    ],
)
def test_the_version_of_podman_is_the_installed_one_or_the_one_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, version: str
) -> None:
    program = tmp_path / "apt-cache"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{policy}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert look.podman_version() == version


def test_a_process_that_is_no_conmon_stands_for_itself() -> None:
    assert ready.main_process(os.getpid()) == os.getpid()
    assert ready.main_process(2**22 + 1) == 2**22 + 1


# The units.

_CONTAINERS = [
    ("superlink", "flower-superlink", "flower", "superlink.key"),
    ("superlink", "flower-superexec-server", "flower-app", "superexec.secret"),
    ("supernode", "flower-supernode", "flower", "supernode.key"),
    ("supernode", "flower-superexec-client", "flower-app", "superexec.secret"),
]


def _lines(role: str, name: str, **variables: Any) -> list[str]:
    given = {
        "flower_superlink_image": _IMAGE,
        "flower_supernode_image": _IMAGE,
        "flower_superexec_image": _IMAGE,
        "supernode_superlink_address": "192.0.2.10",
        **variables,
    }
    return rendering.render(role, f"{name}.j2", given, {}).splitlines()


def test_what_containers_have_in_common_confines_them() -> None:
    lines = _lines("flower", "flower-.container.conf", flower_environment={"FLWR_LOG_LEVEL": "DEBUG"})
    assert {"ReadOnly=true", "NoNewPrivileges=true", "DropCapability=all", "Network=host", "Pull=never"} <= set(lines)
    [words] = [line.split() for line in lines if line.startswith("PodmanArgs=")]
    # Of another control group systemd would not see the addresses that the container asks for.
    assert words[0] == "PodmanArgs=--cgroups=disabled"
    assert {"FLWR_TELEMETRY_ENABLED", "FLWR_LOG_LEVEL"} <= set(words)
    assert "PATH" not in words


@pytest.mark.parametrize(("role", "name", "user", "secret"), _CONTAINERS)
def test_a_container_runs_as_the_services_user_with_the_secrets_of_its_own(
    role: str, name: str, user: str, secret: str
) -> None:
    lines = _lines(role, f"{name}.container")
    assert f"Image={_IMAGE}" in lines
    assert f"User={user}" in lines
    assert any(line.startswith(f"ExecStartPre=/usr/bin/install -o {user} -g flower -m 0400 ") for line in lines)
    assert any(line.endswith(f"%t/%N/secrets/{secret}") for line in lines)
    # What apps run as sees no key of a daemon.
    mounted = [line for line in lines if line.startswith("Volume=/etc/")]
    assert not [line for line in mounted if line.split(":")[0].endswith((".key", ".secret"))]


def test_apps_in_containers_reach_the_runtime_api_alone() -> None:
    client = _lines("supernode", "flower-superexec-client.container", supernode_app_allowed_addresses=[])
    server = _lines("superlink", "flower-superexec-server.container", superlink_app_allowed_addresses=[])
    assert {"IPAddressAllow=127.0.0.1", "IPAddressDeny=any"} <= set(client)
    assert {"IPAddressAllow=127.0.0.2", "IPAddressDeny=any"} <= set(server)


@pytest.mark.slow
def test_what_containers_cannot_have_is_refused_with_what_would_be_right(tmp_path: Path) -> None:
    roles = ("flower", "superlink", "supernode")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [
            str(rendering.ROLES / role / part / "main.yml") for role in roles for part in ("defaults", "vars")
        ],
        "tasks": [{"ansible.builtin.debug": {"msg": f"{{{{ _{role}_problems }}}}"}} for role in roles],
    }
    # What files of variables hold would come before the play's own.
    given = {
        "ansible_check_mode": True,
        "federation_name": "poc",
        "flower_runtime": "container",
        "flower_packages": ["numpy==2.4.6"],
        "flower_superlink_image": "docker.io/flwr/superlink:1.41.0",
        "flower_image_archives": [str(tmp_path / "none.tar")],
        "nvidia_guest_gpus": 1,
        "supernode_superlink_address": "192.0.2.10",
        "supernode_devices": ["char-nvidia-uvm"],
    }
    played = playbooks.play_written(tmp_path, [play], {"all": {"hosts": {"localhost": {}}}}, "-e", json.dumps(given))
    said = " ".join(played.succeeded().output.split())
    for text in (
        "flower_superlink_image is 'docker.io/flwr/superlink:1.41.0'; it must be empty or a container image by",
        "give flower_superexec_image one that is made from flwr/superexec with these packages",
        "use flower_runtime=venv on nodes with GPUs",
        "it must hold files of the controller",
        "flower_superexec_image must be given with flower_runtime=container",
        "flower_supernode_image and flower_superexec_image must be given with flower_runtime=container",
        "it must hold devices by their path in /dev",
    ):
        assert text in said, text
