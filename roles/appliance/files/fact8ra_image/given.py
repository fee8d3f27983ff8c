# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A given image as the base: its root file system taken out and put back, without booting or mounting it."""

from __future__ import annotations

from pathlib import Path


def unpack(image: Path, tree: Path) -> None:
    """X."""


def write(image: Path, tree: Path, target: Path) -> None:
    """X."""
