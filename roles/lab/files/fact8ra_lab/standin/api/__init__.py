# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The XML-RPC methods, one module a kind of object."""

from __future__ import annotations
