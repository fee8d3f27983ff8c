# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that speak to a SuperLink; private to the collection.

The argument specification is in plugins/module_utils/_flower/argspec.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with."""

    DOCUMENTATION = r"""
options:
  address:
    description:
      - Control API of the SuperLink as C(host:port). It has no authentication in Flower's open-source build, so role
        P(fact8ra.flower.superlink#role) binds it to the loopback address and the module runs on that host.
    type: str
    default: 127.0.0.1:8000
  root_certificates:
    description: PEM file on that host with the authorities that may have issued the SuperLink's certificate.
    type: path
    default: /etc/flower/trust.crt
  timeout:
    description: Seconds for connecting to the SuperLink and for each of its answers.
    type: float
    default: 30.0
requirements:
  - flwr 1.41 (its Control API client is internal and changes with every minor version)
notes:
  - Set C(ansible_python_interpreter) to the environment that role P(fact8ra.flower.flower#role) makes,
    C(/opt/flower/venv/bin/python).
"""
