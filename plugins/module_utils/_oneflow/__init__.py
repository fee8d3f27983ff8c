# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""OneFlow: the services and service templates of OpenNebula (REST, XML-RPC for what REST does not tell)."""

from __future__ import annotations
