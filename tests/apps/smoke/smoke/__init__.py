# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Smoke app: logistic regression on two synthetic blobs, drawn anew from the node's name."""
