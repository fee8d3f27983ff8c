# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow: service templates and services. Source: src/flow of OpenNebula 7.4; elasticity policies are kept, not run."""

from __future__ import annotations
