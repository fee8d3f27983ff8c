# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The states of virtual networks. Source: include/VirtualNetwork.h of oned."""

from __future__ import annotations

from typing import Final

INIT, READY, LOCK_CREATE, LOCK_DELETE, DONE, ERROR, UPDATE_FAILURE = range(7)
STATE_NAMES: Final = ("INIT", "READY", "LOCK_CREATE", "LOCK_DELETE", "DONE", "ERROR", "UPDATE_FAILURE")
