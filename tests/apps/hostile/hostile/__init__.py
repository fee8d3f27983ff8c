# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Hostile app: what somebody might submit who wants more of the hosts than to train."""
