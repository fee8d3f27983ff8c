# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What images are made of: the pins, the package lists of the roles, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import frameworks
from fact8ra_image import recipe as subject
from fact8ra_image import tree
from fact8ra_image.system import ImageError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A root file system with no kernel."""
    root = tmp_path / "base"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    return root


def test_the_pins_are_those_of_the_project() -> None:
    defaults = yaml.safe_load((ROOT / "roles/flower/defaults/main.yml").read_text())
    controller = re.findall(r"^ansible-core==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert subject.locked_versions("ansible")["ansible-core"] == controller[0]
    for flavour in subject.FLAVOURS.values():
        versions = subject.locked_versions(flavour.lock)
        assert versions["flwr"] == defaults["flower_version"]
        assert set(flavour.packages) <= versions.keys()
    assert f"torch=={subject.locked_versions('pytorch')['torch']}" == frameworks.REQUIREMENTS["torch"]


def test_each_locked_package_has_hashes() -> None:
    for path in subject.LOCKS.glob("*.txt"):
        for entry in re.split(r"^(?=[a-z0-9])", path.read_text(), flags=re.MULTILINE)[1:]:
            assert "--hash=sha256:" in entry, entry


def test_the_choices_of_the_role_are_the_images() -> None:
    specs = yaml.safe_load((ROOT / "roles/appliance/meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    assert specs["appliance_images"]["choices"] == [
        "flower-superlink",
        "flower-supernode",
        "flower-supernode-sklearn",
        "flower-supernode-edge",
        "flower-supernode-pytorch",
    ]
    assert set(specs["appliance_images"]["choices"]) == subject.FLAVOURS.keys()
    assert specs["appliance_formats"]["choices"] == ["qcow2", "directory"]


def test_the_roles_name_their_packages_themselves() -> None:
    assert "nginx-light" in subject.debian_packages(["superlink"])
    assert "nginx-light" not in subject.debian_packages(["flower", "firewall", "transport"])
    with pytest.raises(ImageError, match="has no _pki_debian_packages"):
        subject.debian_packages(["pki"])


def test_what_is_bounded() -> None:
    assert subject.FLAVOURS["flower-supernode"].most == 1_200_000_000
    assert subject.FLAVOURS["flower-supernode-edge"].most == 2_000_000_000
    # The disk itself is within the bound, too.
    for name in ("flower-supernode", "flower-supernode-edge"):
        assert subject.FLAVOURS[name].disk_mb << 20 <= subject.FLAVOURS[name].most


def test_the_collection_comes_without_what_an_appliance_never_runs() -> None:
    files = {str(path) for path in subject.collection_files()}
    assert {
        "galaxy.yml",
        "roles/flower/tasks/install.yml",
        "apps/poc/pyproject.toml",
        "playbooks/appliance_boot.yml",
    } <= files
    assert not [name for name in files if name.startswith(("tests/", "docs/", "roles/lab/")) or "__pycache__" in name]


def test_the_digest_tells_inputs_apart(base: Path) -> None:
    first = subject.recipe("flower-supernode", str(base), ["directory"])
    assert first.digest == subject.recipe("flower-supernode", str(base), ["directory"]).digest
    assert subject.recipe("flower-supernode-edge", str(base), ["directory"]).digest != first.digest
    for name in ("base_state", "collection", "lock"):
        assert dataclasses.replace(first, **{name: "other"}).digest != first.digest, name
    # Where the packages come from is no part of what they are.
    assert dataclasses.replace(first, mirror="http://other", security_mirror="http://other").digest == first.digest
    (base / "etc/new").write_text("")
    assert subject.recipe("flower-supernode", str(base), ["directory"]).digest != first.digest


@pytest.mark.parametrize(
    ("name", "formats", "message"),
    [
        ("flower-hub", ["qcow2"], "no image 'flower-hub'; it must be one of flower-superlink"),
        ("flower-superlink", [], "formats is empty"),
        ("flower-superlink", ["vmdk"], "formats is vmdk; it must have one of directory, qcow2"),
        ("flower-superlink", ["qcow2"], "has no kernel in boot"),
    ],
)
def test_what_is_refused(base: Path, name: str, formats: list[str], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        subject.recipe(name, str(base), formats)


def test_a_base_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"which is not there; it must be a directory, an image, or empty"):
        subject.recipe("flower-superlink", str(tmp_path / "nothing"), ["directory"])
    with pytest.raises(ImageError, match="without etc/os-release; it must be a root file system"):
        subject.recipe("flower-superlink", str(tmp_path), ["directory"])


def test_an_archive_that_does_not_answer() -> None:
    with pytest.raises(ImageError, match=r"does not answer: .*; give appliance_mirror a mirror of Debian"):
        subject.archive_state("http://127.0.0.1:9/debian", "http://127.0.0.1:9/security")


def test_another_distribution(base: Path) -> None:
    (base / "etc/os-release").write_text('ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    with pytest.raises(ImageError, match=r'the base is "Debian GNU/Linux 13 \(trixie\)"; it must be Debian 12'):
        tree.check(base)


def test_what_the_appliance_says_of_itself(base: Path) -> None:
    found = tree.appliance(subject.recipe("flower-supernode-edge", str(base), ["directory"]))
    assert found == {
        "kind": "supernode",
        "flavour": "edge",
        "version": subject.collection_version(),
        "flower_version": "1.41.0",
        "flower_packages": ["scikit-learn"],
    }
