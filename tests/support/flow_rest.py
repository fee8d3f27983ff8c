# SPDX-License-Identifier: Apache-2.0
"""OneFlow's REST API, asked without the collection's own client."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any


def ask(endpoint: str, account: tuple[str, str], verb: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and body, JSON where it is, else text; the account is name and password."""
    token = base64.b64encode(":".join(account).encode()).decode()
    request = urllib.request.Request(
        endpoint + path,
        method=verb,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read().decode()
    return status, json.loads(text) if text.startswith("{") else text
