# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a SuperNode's host believes and who it is. Private to this collection; it may change without notice.

Standard library only, so that it runs with the system's Python of any host. Nothing secret leaves these functions.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
import ssl
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import Any

# First bytes of an OpenSSH private key (PROTOCOL.key of OpenSSH); cipher, KDF, options, count and public key follow.
_OPENSSH = b"openssh-key-v1\0"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Authority:
    """A certificate that a host trusts; `days_left` is negative after its end."""

    subject: str
    fingerprint_sha256: str
    not_after: str
    days_left: float


def authorities(pem: str, now: float) -> list[Authority]:
    """Return the certificates of a PEM bundle in its order.

    Args:
        pem: Content of the bundle.
        now: Seconds since the epoch.

    Raises:
        ValueError: a certificate cannot be read (ssl.SSLError is one).
    """
    found = []
    for block in _PEM.findall(pem):
        der = ssl.PEM_cert_to_DER_cert(block)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=der)
        # One that is not an authority is loaded and not listed.
        told: Any = context.get_ca_certs()[0] if context.get_ca_certs() else {}
        names = [part[1] for group in told.get("subject", ()) for part in group if part[0] == "commonName"]
        until = told.get("notAfter", "")
        end = ssl.cert_time_to_seconds(until) if until else now
        found.append(
            Authority(
                subject=names[-1] if names else "no common name",
                fingerprint_sha256=hashlib.sha256(der).hexdigest(),
                not_after=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)) if until else "",
                days_left=round((end - now) / 86400, 1),
            )
        )
    return found


def blob_fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key in SSH's wire format (RFC 4253, 6.6) as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def line_fingerprint(line: str) -> str:
    """Return the fingerprint of an OpenSSH public key line, empty when it is none."""
    try:
        return blob_fingerprint(base64.b64decode(line.split()[1], validate=True))
    except (IndexError, binascii.Error):
        return ""


def key_fingerprint(path: str) -> tuple[str, str]:
    """Fingerprint of the public half of a private key file, and why there is none; one of both is empty.

    The public half stands in the clear in front of the private one, which is not looked at.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            text = stream.read(65536)
    except OSError as error:
        return "", f"{path} cannot be read ({os.strerror(error.errno or 0)})"
    try:
        body = base64.b64decode("".join(line for line in text.split("\n") if line[:5] != "-----"))
        if not body.startswith(_OPENSSH):
            raise ValueError("no OpenSSH key")
        rest = body[len(_OPENSSH) :]
        for _skipped in ("cipher", "kdf", "options"):
            _value, rest = _string(rest)
        blob, _rest = _string(rest[4:])
    except (ValueError, struct.error):
        return "", f"{path} is no OpenSSH private key"
    return blob_fingerprint(blob), ""


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Split SSH's string (RFC 4251, 5) off the begin of the data."""
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]


def connected(unit: str, port: int) -> bool:
    """Whether the main process of a systemd unit holds an established TCP connection to a port."""
    asked = subprocess.run(
        ["systemctl", "show", "--value", "--property=MainPID", unit],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    pid = asked.stdout.decode().strip()
    sockets, rows = set(), []
    try:
        # In a container, podman's conmon is the main process, and Flower its child.
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as stream:
            contained = stream.read().strip() == "conmon"
        if contained:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
                pid = stream.read().strip()
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            # One that was closed meanwhile is not it.
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    sockets.add(target[len("socket:[") : -1])
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as stream:
                rows += [line.split() for line in stream.readlines()[1:]]
    except OSError:
        return False
    # Columns of proc(5): remote address, state (01 is established), inode.
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" and row[9] in sockets for row in rows)
