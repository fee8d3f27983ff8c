# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the documentation of modules and plugins without running them."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import yaml


def documentation_of(path: pathlib.Path) -> dict[str, Any]:
    """The DOCUMENTATION of a Python file, or of a YAML file beside a filter; empty if it has none."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yml", ".yaml"):
        loaded = yaml.safe_load(text) or {}
        return dict(loaded.get("DOCUMENTATION") or {})
    found = re.search(r'^DOCUMENTATION = r?("""|\'\'\')\n?(.*?)\1', text, re.MULTILINE | re.DOTALL)
    return dict(yaml.safe_load(found[2]) or {}) if found else {}
