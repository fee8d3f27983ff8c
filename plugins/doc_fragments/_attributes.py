# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say about check mode, diff mode and their action group; private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with; see the guide on attributes of ansible-core."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell whether anything would change, without changing it.
  diff_mode:
    description: Returns in diff mode what has changed, or in C(check_mode) what would change.
  idempotent:
    description: When run a second time with the same arguments, reports no change.
"""

    RECONCILES = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    ACTIONGROUP_OPENNEBULA = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/fact8ra.flower.opennebula) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - fact8ra.flower.opennebula
"""
