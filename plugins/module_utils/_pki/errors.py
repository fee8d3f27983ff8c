# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one error that a user of the PKI sees. Private to this collection; it may change without notice."""

from __future__ import annotations


class PkiError(Exception):
    """Something the operator has to put right; the text names the file or option, what is wrong, and the remedy."""
