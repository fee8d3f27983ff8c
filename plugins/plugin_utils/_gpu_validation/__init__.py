# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the layers of a federation tell of its GPUs to rows: layer, host, check, result, what was found, cure.

Each layer is judged on its own and without raising for what a host may answer; so one that is broken hides no other.
"""
