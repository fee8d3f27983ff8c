# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the controller does around a run of the proof of concept; never part of the app that travels to the nodes."""
