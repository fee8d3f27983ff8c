# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules find Ansible's own code compiled, in the environment that they run in.

Each module brings it as source in an archive, and Python would compile that anew for every task: a third of their time.
It is the same code, since controller and host are one here. Other interpreters that a task starts have no Ansible.
"""

from __future__ import annotations

import contextlib
import importlib

with contextlib.suppress(ImportError):
    importlib.import_module("ansible.module_utils.basic")
