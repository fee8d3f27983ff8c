# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow: service templates and services. Elasticity policies are kept, not run.

Source: src/flow of OpenNebula 7.4.
"""

from __future__ import annotations
