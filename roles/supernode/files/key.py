# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps, on the node, the key pair of its SuperNode; the private half never leaves the host.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"path": private key, "name": its comment, "step": "present", "renew" or "switch", "check": bool}

``present`` makes the key when there is none. ``renew`` makes another one beside it (``path`` and ``.new``), or keeps
the one that an earlier call left there. ``switch`` puts that one in the place of the first. Prints JSON: ``changed``
and ``public`` (the OpenSSH line of the key that the step is about, without a comment; empty where check mode made
none).
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import Any

# The one curve on which this collection makes keys; Flower 1.41 takes any NIST curve and nothing else.
_KIND = ["-t", "ecdsa", "-b", "384"]


def make(path: str, name: str) -> None:
    """Make an OpenSSH key without passphrase at a path, whole or not at all."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.mkdir(directory, 0o750)
    part = f"{path}.part"
    for left in (part, f"{part}.pub"):
        if os.path.lexists(left):
            os.unlink(left)
    subprocess.run(
        ["ssh-keygen", "-q", *_KIND, "-N", "", "-C", name, "-f", part], check=True, stdout=subprocess.DEVNULL
    )
    os.unlink(f"{part}.pub")
    with open(part, "rb") as written:
        os.fsync(written.fileno())
    os.rename(part, path)


def close(path: str, check: bool) -> bool:
    """Take a key from everybody but root; return whether it had to be."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        sys.exit(f"{path} is no regular file; remove it, and the next run makes a key")
    if (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, 0, 0):
        return False
    if not check:
        os.chown(path, 0, 0)
        os.chmod(path, 0o600)
    return True


def public(path: str) -> str:
    """Public half of a private key, as a line of OpenSSH without its comment."""
    asked = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", path], stdout=subprocess.PIPE, check=False)
    if asked.returncode != 0:
        sys.exit(f"{path} is no OpenSSH private key without passphrase; remove it, and the next run makes another")
    return " ".join(asked.stdout.decode().split()[:2])


def keep(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    path, check = request["path"], request["check"]
    new = f"{path}.new"
    changed = False
    if request["step"] == "switch":
        if not os.path.lexists(new):
            return {"changed": False, "public": public(path) if os.path.lexists(path) else ""}
        if check:
            return {"changed": True, "public": ""}
        close(new, check)
        # The service is to see that what it reads is newer than itself.
        os.utime(new)
        os.rename(new, path)
        return {"changed": True, "public": public(path)}
    wanted = new if request["step"] == "renew" else path
    if not os.path.lexists(wanted):
        if check:
            return {"changed": True, "public": ""}
        make(wanted, request["name"])
        changed = True
    changed = close(wanted, check) or changed
    return {"changed": changed, "public": public(wanted)}


if __name__ == "__main__":
    os.umask(0o077)
    print(json.dumps(keep(json.loads(sys.argv[1]))))
