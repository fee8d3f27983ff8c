# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks sshd what it holds each user to, all of its configuration taken together.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON: user name to the values wanted,
keyword (lower case) to value. Prints a sentence for each that is otherwise, and nothing when all is as wanted.
"""

from __future__ import annotations

import json
import subprocess
import sys


def effective(user: str) -> dict[str, str]:
    """What ``sshd -T`` prints for a user, keyword to value; several lines of one keyword are joined.

    Raises:
        SystemExit: sshd does not take its configuration.
    """
    command = ["/usr/sbin/sshd", "-T", "-C", f"user={user},host=localhost,addr=127.0.0.1"]
    asked = subprocess.run(command, capture_output=True, check=False)
    if asked.returncode:
        sys.exit(f"sshd does not take its configuration: {asked.stderr.decode(errors='replace').strip()}")
    found: dict[str, str] = {}
    for line in asked.stdout.decode(errors="replace").splitlines():
        keyword, _space, value = line.partition(" ")
        found[keyword] = f"{found[keyword]} {value}" if keyword in found else value
    return found


def faults(request: dict[str, dict[str, str]]) -> list[str]:
    """A sentence for each value that is not as wanted."""
    told = []
    for user, wanted in request.items():
        found = effective(user)
        told += [
            f"sshd holds {user} to {keyword} {found.get(keyword, 'unset')} in place of {value}"
            for keyword, value in wanted.items()
            if found.get(keyword) != value
        ]
    return told


if __name__ == "__main__":
    print("\n".join(faults(json.loads(sys.argv[1]))))
