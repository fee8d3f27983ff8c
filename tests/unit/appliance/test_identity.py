# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who a SuperNode is: a key that is made once, and a name that no other VM makes."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fact8ra_appliance import identity
from fact8ra_appliance.trouble import Trouble

# The role's script gives the key to root.
pytestmark = pytest.mark.root


def test_the_key_is_made_once_and_the_name_tells_vm_and_key(tmp_path: Path) -> None:
    path = tmp_path / "flower" / "supernode.key"
    made = identity.ensure("", 11, path)
    digest = hashlib.sha256(base64.b64decode(made.public_key.split()[1])).hexdigest()
    assert made.name == f"vm-11-{digest[:6]}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert identity.ensure("", 11, path) == made
    # A copy of the disk in another VM is another name, which the SuperLink then refuses for this key.
    assert identity.ensure("", 12, path).name == f"vm-12-{digest[:6]}"
    assert identity.ensure("node-a", 11, path).name == "node-a"
    assert path.read_bytes() == before


def test_what_it_signs_is_verified_by_its_public_key(tmp_path: Path) -> None:
    made = identity.ensure("node-a", 11, tmp_path / "supernode.key")
    key = serialization.load_ssh_public_key(made.public_key.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(made.sign(b"said")), b"said", ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("name", ["node a", "-a", ".a", "n\u00f6de", "a" * 64, "a\n", "$(id)"])
def test_a_name_that_is_none_makes_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(Trouble, match="ONEAPP_FLOWER_NODE_NAME") as caught:
        identity.ensure(name, 11, tmp_path / "supernode.key")
    assert caught.value.state == "CONTEXT_INVALID"
    assert os.listdir(tmp_path) == []


def test_a_key_that_is_none_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "supernode.key"
    path.write_text("damaged")
    with pytest.raises(Trouble, match="no OpenSSH private key") as caught:
        identity.ensure("", 11, path)
    assert caught.value.state == "CONFIGURE_FAILED"
    assert path.read_text() == "damaged"


@pytest.mark.parametrize(("number", "state"), [(30, "DISK_READ_ONLY"), (28, "DISK_FULL"), (5, "CONFIGURE_FAILED")])
def test_a_disk_that_takes_no_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, state: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(Trouble, match="cannot be kept") as caught:
        identity.ensure("", 11, tmp_path / "new" / "supernode.key")
    assert caught.value.state == state
