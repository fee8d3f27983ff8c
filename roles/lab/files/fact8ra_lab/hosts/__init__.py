# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Base system, booted hosts, site networks and the WAN between them; Linux, root, standard library only."""

from __future__ import annotations
