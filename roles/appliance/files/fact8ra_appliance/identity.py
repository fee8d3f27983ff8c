# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who a SuperNode is: a key that is made once on its VM, as the role supernode makes it, and a name."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .trouble import Trouble
from .wire import NAME

KEY = Path("/etc/flower/supernode.key")
VARIABLE = "ONEAPP_FLOWER_NODE_NAME"
# The role's own script, so that the key is the one that the role takes.
_SCRIPT = Path(__file__).parents[3] / "supernode" / "files" / "key.py"


@dataclass(frozen=True)
class Identity:
    """A SuperNode.

    Attributes:
        public_key: type and base64 of the OpenSSH line.
    """

    name: str
    public_key: str
    key: Path = field(repr=False, default=KEY)

    def sign(self, content: bytes) -> str:
        """ECDSA with SHA-384 by the SuperNode's key, in base64."""
        key: Any = serialization.load_ssh_private_key(self.key.read_bytes(), None)
        return base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA384()))).decode()


def ensure(given: str, vm_id: int, key: Path = KEY) -> Identity:
    """The identity of this VM; its key is made when there is none, and never again.

    Args:
        given: name that the context has, empty for one made of the VM's id and the key.
        vm_id: id of the VM.
        key: where the key is.

    Raises:
        Trouble: CONTEXT_INVALID, the name is none; DISK_READ_ONLY or CONFIGURE_FAILED, the key cannot be kept.
    """
    if given and not NAME.fullmatch(given):
        raise Trouble(
            "CONTEXT_INVALID",
            f"{VARIABLE} is {ascii(given)[:80]}; it must be 1 to 63 letters, digits, '.', '_' and '-', beginning with a"
            " letter or digit",
            variable=VARIABLE,
        )
    try:
        asked = {"path": str(key), "name": given or f"vm-{vm_id}", "step": "present", "check": False}
        public = str(_script().keep(asked)["public"])
    except SystemExit as error:
        raise Trouble("CONFIGURE_FAILED", str(error.code)) from error
    except OSError as error:
        state = "DISK_READ_ONLY" if error.errno == 30 else "DISK_FULL" if error.errno == 28 else "CONFIGURE_FAILED"
        raise Trouble(state, f"the SuperNode's key cannot be kept at {key}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        # ssh-keygen says why on standard error, which is the journal.
        raise Trouble("CONFIGURE_FAILED", f"ssh-keygen cannot make the key {key}; see the journal") from error
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).hexdigest()
    return Identity(given or f"vm-{vm_id}-{digest[:6]}", public, key)


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("fact8ra_supernode_key", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
