# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""An appliance that configures itself from the context of OpenNebula."""

from __future__ import annotations
