# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The lists of what is in an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from fact8ra_image import sbom

STATUS = """Package: acl
Status: install ok installed
Version: 2.3.1-3

Package: base-files
Status: install ok installed
Version: 12.4+deb12u15
Description: Debian base system
 Version: none of a package

Package: gone
Status: deinstall ok config-files
Version: 1:1.0
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root file system with two Debian packages, and Flower in an environment behind a link."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    site = tmp_path / "opt/flower/venvs/1/lib/python3.11/site-packages/PyYAML-6.0.4.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0.4\n\nName: text\n")
    (tmp_path / "opt/flower/venv").symlink_to("/opt/flower/venvs/1")
    return tmp_path


def test_the_listing(tree: Path) -> None:
    assert sbom.listing(sbom.parts(tree, "1.1.0")) == (
        "deb acl 2.3.1-3\ndeb base-files 12.4+deb12u15\ngeneric fact8ra.flower 1.1.0\n"
        "pypi pyyaml 6.0.4 /opt/flower/venv\n"
    )


def test_the_bill_is_valid_and_says_the_same(tree: Path) -> None:
    found = sbom.parts(tree, "1.1.0")
    bill = sbom.bill(found, "flower-superlink", "1.1.0", "0" * 64)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert [(part["name"], part["version"]) for part in bill["components"]] == [
        (part.name, part.version) for part in found
    ]
    assert bill["components"][1]["purl"] == "pkg:deb/debian/base-files@12.4%2Bdeb12u15?distro=debian-12"
    assert bill == sbom.bill(found, "flower-superlink", "1.1.0", "0" * 64)


def test_a_bill_that_is_none_is_found(tree: Path) -> None:
    bill = sbom.bill(sbom.parts(tree, "1.1.0"), "flower-superlink", "1.1.0", "0" * 64)
    del bill["components"][0]["name"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is not None
