# SPDX-License-Identifier: Apache-2.0
"""Unregister a SuperNode. Runs on the SuperLink's host with Flower's Python, as its operator may.

Arguments, as a JSON list in base64: the SuperNode's name. Prints how many were unregistered.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys

from flwr.proto.control_pb2 import ListNodesRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

(name,) = json.loads(base64.b64decode(sys.argv[1]))
client = ControlHttpClient(
    "https://127.0.0.1:8000",
    interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
    verify=ssl.create_default_context(cafile="/etc/flower/trust.crt"),
    timeout=20,
)
nodes = [node for node in client.ListNodes(ListNodesRequest()).nodes_info if node.name == name]
active = [node for node in nodes if node.status != "unregistered"]
for node in active:
    client.UnregisterNode(UnregisterNodeRequest(node_id=node.node_id))
print(len(active))
