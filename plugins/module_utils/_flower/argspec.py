# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Options of the doc fragment `_flower`. Private to this collection; it may change without notice."""

from __future__ import annotations

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec

FLOWER = ArgumentSpec(
    argument_spec={
        "address": {"type": "str", "default": "127.0.0.1:8000"},
        "root_certificates": {"type": "path", "default": "/etc/flower/trust.crt"},
        "timeout": {"type": "float", "default": 30.0},
    },
)
