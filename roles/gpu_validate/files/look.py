# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Says, on a SuperNode, what its apps have: ``config``, their node configuration, and ``devices`` that they may open.

Called as ``python3 -`` with this file on standard input; prints JSON and changes nothing. Role supernode closes the
unit to all devices but those that it names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

_NODE = "/etc/flower/node.toml"
_UNIT = "flower-superexec-client.service"


def devices() -> list[str]:
    """The rules of the apps' unit, such as ``/dev/nvidia0 rw``; empty when it has none."""
    shown = subprocess.run(
        ["systemctl", "show", _UNIT, "--property=DeviceAllow"], capture_output=True, text=True, check=True
    )
    values = [line.partition("=")[2] for line in shown.stdout.splitlines()]
    return [value for value in values if value]


def main() -> int:
    """Print what there is; the exit status is 1, with a sentence, when it cannot be read."""
    try:
        with open(_NODE, "rb") as file:
            config = tomllib.load(file)
        print(json.dumps({"config": config, "devices": devices()}))
    except (OSError, tomllib.TOMLDecodeError, subprocess.CalledProcessError) as error:
        print(f"{_NODE} or {_UNIT} cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
