# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The token of a VM for OneGate: made of the VM's id and start time with the secret of the user who created it.

OpenNebula encrypts the two with AES; a keyed hash does the same service here with the standard library alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from .model import VM, User


def token(user: User, vm: VM) -> str:
    """The text of the token file."""
    secret = user.template.text("TOKEN_PASSWORD").encode()
    return base64.b64encode(hmac.digest(secret, f"{vm.id}:{vm.stime}".encode(), hashlib.sha256)).decode()


def valid(user: User, vm: VM, given: str) -> bool:
    """Whether the token is that of the VM."""
    return hmac.compare_digest(token(user, vm), given.strip())
