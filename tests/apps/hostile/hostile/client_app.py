# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ClientApp of the hostile app."""

from __future__ import annotations

import json

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from hostile import attempts

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Try everything on this node and answer with what came of it."""
    found = attempts.report(json.loads(str(context.run_config["targets"]))["client"])
    answer = ConfigRecord({"name": str(context.node_config["name"]), "report": json.dumps(found)})
    return Message(RecordDict({"hostile": answer}), reply_to=message)
