# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A disk."""

from __future__ import annotations

from pathlib import Path

from .recipe import Recipe


def prepare(recipe: Recipe, tree: Path) -> None:
    """X."""


def write(recipe: Recipe, tree: Path, target: Path, scratch: Path) -> None:
    """X."""
