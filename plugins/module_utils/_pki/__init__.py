# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The federation's public key infrastructure on the controller.

Private to this collection; it may change without notice. The layers, from below: `errors`, `library` (is cryptography
there), `files` (the directory), `keys`, `names` (what is dialled, what a CA may issue for), `certificates` (what RFC
5280 asks), `argspec` and `declaration` (what is wanted), `state` (what is there), then one for each thing that changes:
`authorities` (the CA and its replacement), `superlink` (issued here) or `brought` with `validation` (from another PKI),
and `supernodes`; `authority` puts them together.
"""
