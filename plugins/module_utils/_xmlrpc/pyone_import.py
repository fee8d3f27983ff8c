# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Importing pyone without waiting for its classes for answers.

Private to the collection: it may change without notice.

pyone imports C(pyone.bindings), generated classes that take four fifths of its import time (tests/bench/README.md has
the figures) and that this collection does not use. They are put off until somebody uses one.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

PUT_OFF = "pyone.bindings"


def import_pyone() -> ModuleType:
    """Return pyone; its bindings are loaded when something of them is used. Raises ImportError without pyone."""
    if "pyone" not in sys.modules:
        _put_off_bindings()
    import pyone

    module: ModuleType = pyone
    # the import system sets it on the package only for what it loaded itself
    vars(module).setdefault("bindings", sys.modules.get(PUT_OFF))
    return module


def _put_off_bindings() -> None:
    package = importlib.util.find_spec("pyone")
    if package is None:
        return
    # not by importlib.util.find_spec, which would import pyone first
    spec = importlib.machinery.PathFinder.find_spec(PUT_OFF, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, importlib.util.module_from_spec(spec)

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what the import system looks for, and finds in a module that has it
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    vars(module)["__getattr__"] = load
    sys.modules[PUT_OFF] = module
