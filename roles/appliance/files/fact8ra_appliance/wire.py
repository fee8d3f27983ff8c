# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What SuperNode and SuperLink say to each other when one joins, and what proves it.

A request is a statement: name, public key, VM, time and nonce, under the fingerprint of the authority that the
SuperNode saw. The SuperNode's key signs it, so nobody registers another's key. Who has the join token authenticates the
statement with it, and so does the SuperLink its answer; each side uses the fingerprint that it knows itself, so that
what is said through somebody in between, who has another authority, fits nowhere.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

VERSION = 1
# Seconds that two clocks may differ by; Flower's own limit for a SuperNode that is behind is 305.
WINDOW = 300
LARGEST = 4096
JOIN = "/join"
STATUS = "/join/status"
PUBLIC_KEY = "FLOWER_PUBLIC_KEY"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
TOKEN = re.compile(r"[A-Za-z0-9._~-]{24,128}", re.ASCII)
NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
MAC = re.compile(r"[0-9a-f]{64}", re.ASCII)
KEY = re.compile(r"ecdsa-sha2-nistp(256|384|521) [A-Za-z0-9+/]{100,250}={0,2}", re.ASCII)


@dataclass(frozen=True)
class Statement:
    """What a SuperNode says of itself.

    Attributes:
        kind: `token` or `onegate`, how it proves that it belongs here.
        public_key: type and base64 of the OpenSSH line.
        vm_id: id of its VM at its site.
        time: seconds of the epoch.
        nonce: 32 hexadecimal digits, never used twice.
    """

    kind: str
    name: str
    public_key: str
    vm_id: int
    time: int
    nonce: str

    def content(self, fingerprint: str) -> bytes:
        """The bytes that are signed and authenticated; JSON leaves no two ways to read them."""
        parts = [self.kind, self.name, self.public_key, self.vm_id, self.time, self.nonce, fingerprint]
        return b"fact8ra join 1\n" + json.dumps(parts).encode()


@functools.lru_cache(maxsize=4)
def key(token: str, fingerprint: str) -> bytes:
    """What authenticates; slow to derive (16 MiB, some 50 ms), so that a token that a person made is hard to guess."""
    return hashlib.scrypt(token.encode(), salt=f"fact8ra join 1 {fingerprint}".encode(), n=1 << 14, r=8, p=1, dklen=32)


def request_mac(token: str, fingerprint: str, statement: Statement) -> str:
    """HMAC-SHA256 of a statement, 64 hexadecimal digits."""
    return hmac.digest(key(token, fingerprint), b"supernode\n" + statement.content(fingerprint), "sha256").hex()


def answer_mac(token: str, fingerprint: str, statement: Statement) -> str:
    """HMAC-SHA256 that the SuperLink answers an accepted statement with."""
    return hmac.digest(key(token, fingerprint), b"superlink\n" + statement.content(fingerprint), "sha256").hex()


def same(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
