# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Proof-of-concept Flower app: handwritten digits learned where they lie."""
