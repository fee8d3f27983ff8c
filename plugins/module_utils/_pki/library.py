# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether cryptography is there and new enough. Private to this collection; it may change without notice."""

from __future__ import annotations

import traceback

#: `not_valid_after_utc` and its kin came with this version.
MINIMUM_VERSION = 42

#: Text of the failed import, or None when the library can be used.
IMPORT_ERROR: str | None = None
try:
    import cryptography

    if int(cryptography.__version__.split(".", 1)[0]) < MINIMUM_VERSION:
        IMPORT_ERROR = f"cryptography {cryptography.__version__} is older than {MINIMUM_VERSION}"
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
