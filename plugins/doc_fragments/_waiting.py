# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that wait; private to the collection.

The argument specifications of the same names are in plugins/module_utils/_argspec.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with; a module with another default documents O(wait_timeout) itself."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until the object is ready, or gone. A state from which that cannot be reached ends the wait at
        once.
    type: bool
    default: true
  wait_timeout:
    description:
      - Most seconds to wait.
    type: int
    default: 120
"""
