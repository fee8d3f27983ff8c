# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What makes an appliance of a root file system; Flower is installed by the role flower, played inside the tree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from . import clean, wheels
from .paths import place, remove, within, write
from .recipe import (
    COLLECTION,
    COMMON,
    EDGE_FILES,
    EPOCH,
    Recipe,
    collection_files,
    collection_version,
    debian_packages,
    locked_versions,
)
from .system import ImageError, inside, run

INSTALLED: Final = "opt/fact8ra/collections/ansible_collections/fact8ra/flower"
UNITS: Final = "roles/appliance/files/units"
#: Installed for the roles to configure; no image serves anything before its context was read.
DISABLED: Final = ("nginx.service", "nftables.service", "prometheus-node-exporter.service")
_WHEELS: Final = "/run/wheels"


def fill(recipe: Recipe, tree: Path, cache: Path, *, given: str = "", index: str = "") -> None:
    """Make the appliance of the recipe in a tree.

    Args:
        recipe: What is made.
        tree: A root file system of Debian 12.
        cache: Where wheels are kept.
        given: Wheelhouse of the operator's, or "".
        index: Package index, or "" for PyPI.

    Raises ImageError when the tree is no Debian 12, or something cannot be installed.
    """
    check(tree)
    clean.begin(tree)
    install_packages(recipe, tree)
    _write_collection(tree)
    _install_ansible(tree, cache, given, index)
    _install_flower(recipe, tree, cache, given, index)
    _write_files(recipe, tree)
    _enable(recipe, tree)


def check(tree: Path) -> None:
    """Raise ImageError unless the tree is a Debian with Python 3.11, for which the packages are pinned."""
    release = within(tree, "etc/os-release", follow=True).read_text(encoding="utf-8", errors="replace")
    if 'VERSION_ID="12"' not in release or "ID=debian" not in release:
        name = next((line for line in release.splitlines() if line.startswith("PRETTY_NAME=")), "PRETTY_NAME=unknown")
        raise ImageError(
            f"the base is {name.partition('=')[2]}; it must be Debian 12, for which the Python packages are pinned"
        )


def installed_packages(tree: Path) -> dict[str, str]:
    """Names and versions of the Debian packages in a tree, by dpkg's own records."""
    found = {}
    text = within(tree, "var/lib/dpkg/status", follow=True).read_text(encoding="utf-8", errors="replace")
    for entry in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and not line.startswith(" "))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return found


def install_packages(recipe: Recipe, tree: Path) -> None:
    """Install what the base lacks, without starting a service."""
    wanted = {*COMMON, *debian_packages(recipe.flavour.roles)}
    lacking = sorted(wanted - installed_packages(tree).keys())
    if not lacking:
        return
    policy = "usr/sbin/policy-rc.d"
    write(tree, policy, "#!/bin/sh\nexit 101\n", 0o755)
    try:
        inside(tree, ["apt-get", "-qq", "update"], network=True)
        command = [
            "apt-get",
            "-qq",
            "-y",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-unsafe-io",
            "install",
        ]
        inside(tree, [*command, *lacking], network=True)
    finally:
        remove(within(tree, policy))
    still = sorted(wanted - installed_packages(tree).keys())
    if still:
        raise ImageError(f"{', '.join(still)} are not installed although apt-get reported no error")


def _write_collection(tree: Path) -> None:
    for name in collection_files():
        path = place(tree, f"{INSTALLED}/{name}")
        shutil.copyfile(COLLECTION / name, path)
        path.chmod(0o755 if (COLLECTION / name).stat().st_mode & 0o100 else 0o644)


def _install_ansible(tree: Path, cache: Path, given: str, index: str) -> None:
    """Make /opt/fact8ra/venv by the program that makes Flower's environments."""
    flower = wheels.wheelhouse("flower", cache, given=given, index=index)
    ansible = wheels.wheelhouse("ansible", cache, given=given, index=index)
    tool = wheels.uv(flower)
    if not (ansible / tool.name).exists():
        shutil.copyfile(tool, ansible / tool.name)
    versions = locked_versions("ansible")
    request: dict[str, Any] = {
        "root": "/opt/fact8ra",
        "fingerprint": "ansible-" + versions["ansible-core"],
        "requirements": [f"{name}=={version}" for name, version in versions.items()],
        "constraints": [],
        "wheelhouse": _WHEELS,
        "index": "",
        "uv": "",
    }
    program = (COLLECTION / "roles/flower/files/install.py").read_text(encoding="utf-8")
    inside(
        tree,
        ["/usr/bin/python3", "-c", program],
        wheels=ansible,
        stdin=json.dumps(request),
        shown="install.py of ansible-core in the image",
    )


def _install_flower(recipe: Recipe, tree: Path, cache: Path, given: str, index: str) -> None:
    """Play the role flower's own install step, for which the wheels are all that there is of a network."""
    house = wheels.wheelhouse(recipe.flavour.lock, cache, given=given, index=index)
    variables = {**flower_variables(recipe), "flower_wheelhouse": _WHEELS, "image_epoch": EPOCH}
    inside(
        tree,
        [
            *("/usr/bin/env", "ANSIBLE_COLLECTIONS_PATH=/opt/fact8ra/collections", "ANSIBLE_NOCOLOR=1"),
            *("/opt/fact8ra/venv/bin/ansible-playbook", "--inventory=localhost,", "--connection=local"),
            *("--tags=flower_install", f"--extra-vars={json.dumps(variables)}"),
            f"/{INSTALLED}/playbooks/appliance_image.yml",
        ],
        wheels=house,
        shown="ansible-playbook appliance_image.yml in the image",
    )
    remove(within(tree, "opt/flower/.wheelhouse"))


def flower_variables(recipe: Recipe) -> dict[str, Any]:
    """Variables of the role flower, with which it finds the environment as it wants it."""
    version = locked_versions(recipe.flavour.lock)["flwr"]
    return {"flower_version": version, "flower_packages": list(recipe.flavour.packages), "flower_constraints": []}


def appliance(recipe: Recipe) -> dict[str, Any]:
    """The content of /etc/fact8ra/appliance.json."""
    variables = flower_variables(recipe)
    return {
        "kind": recipe.flavour.kind,
        "flavour": recipe.flavour.flavour,
        "version": collection_version(),
        "flower_version": variables["flower_version"],
        "flower_packages": variables["flower_packages"],
    }


def _write_files(recipe: Recipe, tree: Path) -> None:
    files = {"etc/fact8ra/appliance.json": json.dumps(appliance(recipe), indent=2) + "\n"}
    if recipe.flavour.flavour == "edge":
        files.update(EDGE_FILES)
    if not recipe.base:
        files.update(MACHINE_FILES)
    for name, text in files.items():
        write(tree, name, text)
    within(tree, "var/lib/fact8ra", follow=True).mkdir(mode=0o700, exist_ok=True)


#: What makes cloud-init read OpenNebula's context and nothing else, and networkd do what it says. Of
#: its modules those that the context has a word for.
MACHINE_FILES: Final = {
    "etc/cloud/cloud.cfg.d/90-fact8ra.cfg": (
        "datasource_list: [OpenNebula, None]\n"
        "datasource: {OpenNebula: {dsmode: net, parseuser: nobody}}\n"
        "system_info:\n  network: {renderers: [networkd]}\n  default_user: {name: root}\n"
        "users: [default]\ndisable_root: false\nssh_deletekeys: false\nssh_pwauth: false\nmanage_etc_hosts: true\n"
        "growpart: {mode: auto, devices: [/]}\nresize_rootfs: true\n"
        # OpenNebula's datasource is the same instance for ever, and its context may change between two boots.
        "updates: {network: {when: [boot-new-instance, boot]}}\n"
        "cloud_init_modules: [bootcmd, write-files, growpart, resizefs, set_hostname, update_hostname,"
        " update_etc_hosts, [users-groups, always], [ssh, always]]\n"
        "cloud_config_modules: [runcmd]\n"
        "cloud_final_modules: [scripts-per-boot, scripts-per-instance, scripts-user]\n"
    ),
    # Root logs in with the keys of the context, as one-context lets it; nobody with a password.
    "etc/ssh/sshd_config.d/50-fact8ra.conf": "PasswordAuthentication no\nPermitRootLogin prohibit-password\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
}


def units(collection: Path = COLLECTION) -> Iterator[Path]:
    """The appliance's own units."""
    for path in sorted((collection / UNITS).glob("*")):
        if path.suffix in (".service", ".timer", ".path", ".socket"):
            yield path


def _enable(recipe: Recipe, tree: Path) -> None:
    """Install the appliance's units, and enable those that name what wants them."""
    wanted = []
    for path in units():
        text = path.read_text(encoding="utf-8")
        write(tree, f"etc/systemd/system/{path.name}", text)
        if "\n[Install]" in text:
            wanted.append(path.name)
    machine = [] if recipe.base else ["systemd-networkd.service", "systemd-resolved.service"]
    if wanted or machine:
        run(["systemctl", f"--root={tree}", "--quiet", "enable", *wanted, *machine])
    for name in DISABLED:
        if any((tree / place / name).exists() for place in ("lib/systemd/system", "usr/lib/systemd/system")):
            run(["systemctl", f"--root={tree}", "--quiet", "disable", name])
