# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The federation's public key infrastructure on the controller.

Private to this collection; it may change without notice. The layers, from below: `errors`, `library` (is cryptography
there), `files` (the directory), `keys`, `certificates` (what RFC 5280 asks), `declaration` (what is wanted),
`authority` (what is there, what has to change, and the change).
"""
