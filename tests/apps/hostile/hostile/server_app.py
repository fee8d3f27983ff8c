# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ServerApp of the hostile app: asks every node for its report and adds its own."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from hostile import attempts

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Leave hostile.json in the results: host to attempt to what came of it."""
    targets = json.loads(str(context.run_config["targets"]))
    while len(nodes := list(grid.get_node_ids())) < int(context.run_config["min-nodes"]):
        time.sleep(1)
    began = time.monotonic()
    replies = list(
        grid.send_and_receive(
            [Message(RecordDict(), dst_node_id=node, message_type="train") for node in nodes], timeout=300
        )
    )
    failed = sum(1 for reply in replies if reply.has_error())
    answers = [reply.content["hostile"] for reply in replies if not reply.has_error()]
    reports = {str(each["name"]): json.loads(str(each["report"])) for each in answers}
    reports["server"] = attempts.report(targets["server"])
    directory = Path(os.environ["FACT8RA_RESULTS_DIR"]) / str(context.run_id)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "hostile.json").write_text(json.dumps(reports), encoding="utf-8")
    seconds = round(time.monotonic() - began, 2)
    row = {"round": 1, "loss": 0.0, "accuracy": 0.0, "nodes": len(answers), "failures": failed, "seconds": seconds}
    (directory / "metrics.json").write_text(json.dumps({"rounds": [row]}), encoding="utf-8")
    print("FLWR_RESULT", json.dumps(row), flush=True)
    print("FLWR_RESULT", json.dumps({"final": True, "loss": 0.0, "accuracy": 0.0}), flush=True)
