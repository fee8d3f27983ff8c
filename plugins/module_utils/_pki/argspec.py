# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `federation_pki`. Private to this collection; it may change without notice."""

from __future__ import annotations

from typing import Any

_STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}

ARGUMENTS: dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ca": {
        "type": "dict",
        "options": {
            "common_name": {"type": "str", "required": True},
            "key_type": {"type": "str", "choices": ["ec", "rsa"], "default": "ec"},
            "curve": {"type": "str", "choices": ["P-256", "P-384", "P-521"], "default": "P-384"},
            "key_size": {"type": "int", "choices": [3072, 4096], "default": 4096},
            "validity_days": {"type": "int", "default": 3650},
            "passphrase": {"type": "str", "required": True, "no_log": True},
            "permitted_names": _STRINGS,
            "permitted_addresses": _STRINGS,
        },
    },
    "rollover": {"type": "str", "choices": ["none", "trust", "switch", "drop"], "default": "none"},
    "superlink": {
        "type": "dict",
        "options": {
            "names": _STRINGS,
            "addresses": _STRINGS,
            "validity_days": {"type": "int", "default": 397},
            "source": {"type": "str", "choices": ["issued", "provided", "request"], "default": "issued"},
            "certificate": {"type": "path"},
            # The path of a key is no secret.
            "key": {"type": "path", "no_log": False},
            "key_passphrase": {"type": "str", "no_log": True},
            "trust": {"type": "path"},
        },
        "required_if": [
            ("source", "provided", ("certificate", "key", "trust")),
            ("source", "request", ("trust",)),
        ],
    },
    "reissue_superlink": {"type": "bool", "default": False},
    "supernodes": _STRINGS,
    "supernode_keys": {"type": "str", "choices": ["controller", "node"], "default": "controller", "no_log": False},
    "renew_supernodes": _STRINGS,
    "purge_supernodes": {"type": "bool", "default": False},
    "renew_before_days": {"type": "int", "default": 30},
}
