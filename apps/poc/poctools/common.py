# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Things that the tools share."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

APP = Path(__file__).resolve().parents[1]
TRAIN_FILE = "digits.npz"
TEST_FILE = "digits-test.npz"


class ToolError(Exception):
    """What the operator has to know; printed without a traceback."""


def configuration(overrides: Iterable[str]) -> dict[str, Any]:
    """Return the app's configuration from pyproject.toml with ``key=value`` overrides (values in TOML or plain text).

    Raises ToolError naming an override that is no key of the app or has no value.
    """
    project = tomllib.loads((APP / "pyproject.toml").read_text(encoding="utf-8"))
    config: dict[str, Any] = project["tool"]["flwr"]["app"]["config"]
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ToolError(f"--config {override}: it has to be key=value")
        if key not in config:
            raise ToolError(f"--config {override}: the app has no key {key}; it has {', '.join(config)}")
        try:
            config[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            config[key] = text
    return config


def write(path: Path, content: bytes) -> bool:
    """Write a file (0600, new directories 0700) whole or not at all; return whether it has changed."""
    if path.is_file() and path.read_bytes() == content:
        return False
    for directory in reversed([parent for parent in path.parents if not parent.exists()]):
        directory.mkdir(mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def write_json(path: Path, value: Any) -> bool:
    """Write a value as JSON, sorted, so that equal values give equal files."""
    return write(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file; raises ToolError naming it if it is missing or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ToolError(f"{path} is no JSON: {error}") from error
