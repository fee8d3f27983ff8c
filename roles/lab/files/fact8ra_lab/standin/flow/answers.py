# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP answers of OneFlow. Errors are plain text of the content type text/html, as the recording shows; so is JSON."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Final

HTML: Final = "text/html;charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; no body and no content type with 204."""

    status: int
    text: str = ""
    content_type: str | None = HTML


NO_CONTENT: Final = Answer(204, "", None)


def unknown_route(verb: str, path: str, host: str) -> Answer:
    """Sinatra's page for a route that it does not know."""
    route = html.escape(path, quote=True).replace("/", "&#x2F;")
    page = (
        '<!DOCTYPE html>\n<html>\n<head>\n  <style type="text/css">\n'
        "  body { text-align:center;font-family:helvetica,arial;font-size:22px;\n    color:#888;margin:20px}\n"
        "  #c {margin:0 auto;width:500px;text-align:left}\n  </style>\n</head>\n<body>\n"
        "  <h2>Sinatra doesn\u2019t know this ditty.</h2>\n"
        f"  <img src='http://{host}/__sinatra__/404.png'>\n"
        f'  <div id="c">\n    Try this:\n    <pre>{verb.lower()} &#x27;{route}&#x27; do\n'
        "  &quot;Hello World&quot;\nend\n</pre>\n  </div>\n</body>\n</html>\n"
    )
    return Answer(404, page)


def crash(as_json: bool, reason: str) -> Answer:
    """The answer to an error that nobody caught: JSON since 6.10, Sinatra's page before (oneflow-server.rb)."""
    if as_json:
        return Answer(500, json.dumps({"message": "Internal server error", "reason": reason}))
    return Answer(500, "<h1>Internal Server Error</h1>")
