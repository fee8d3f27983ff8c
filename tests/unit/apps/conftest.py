# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The proof-of-concept app's packages. They need NumPy and Flower, so they are imported by the tests marked `flwr`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).parents[3] / "apps" / "poc"


@pytest.fixture(scope="session")
def load() -> Callable[[str], Any]:
    """Import a module of the app, e.g. load("digits.model")."""
    if str(APP) not in sys.path:
        sys.path.insert(0, str(APP))
    return importlib.import_module


@pytest.fixture(scope="session")
def model(load: Callable[[str], Any]) -> Any:
    """digits.model"""
    return load("digits.model")


@pytest.fixture(scope="session")
def data(load: Callable[[str], Any]) -> Any:
    """digits.data"""
    return load("digits.data")


@pytest.fixture(scope="session")
def partition(load: Callable[[str], Any]) -> Any:
    """poctools.partition"""
    return load("poctools.partition")


@pytest.fixture(scope="session")
def settings(load: Callable[[str], Any], model: Any) -> Any:
    """The app's own settings."""
    return model.Settings.of(load("poctools.common").configuration([]))
