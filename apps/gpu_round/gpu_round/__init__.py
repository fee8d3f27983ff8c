# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Flower app that proves a node's GPU: it trains there, and the metrics name the device."""
