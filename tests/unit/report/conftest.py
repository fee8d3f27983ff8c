# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Inputs of the report."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def pem(name: str, until: datetime.datetime) -> str:
    """A certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(until - datetime.timedelta(days=400)).not_valid_after(until)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def data() -> dict[str, Any]:
    """Two sites, three rounds, all well."""
    nodes = ["alpha-supernode-0", "beta-supernode-0"]
    return {
        "title": "Proof of concept",
        "federation": "poc",
        "superlink": {
            "name": "alpha-superlink-0",
            "site": "alpha",
            "address": "10.71.1.10",
            "port": 8443,
            "online": True,
        },
        "sites": [
            {"name": "alpha", "nodes": [{"name": nodes[0], "address": "10.71.1.11", "online": True}]},
            {"name": "beta", "nodes": [{"name": nodes[1], "address": "10.71.2.10", "online": True}]},
        ],
        "run": {
            "run_id": "123",
            "app": "@fact8ra/digits",
            "app_version": "1.0.0",
            "status": "finished:completed",
            "failures": 0,
            "seconds": 20.5,
            "finished": "2026-11-24T07:21:44+00:00",
            "bytes_sent": 2048,
            "bytes_received": 3 * 1024**2,
            "config": {"seed": 7, "results-path": ""},
            "rounds": [
                {
                    "round": number,
                    "loss": 1.0 / number,
                    "accuracy": 0.9 + number / 100,
                    "seconds": 6.0,
                    "nodes": 2,
                    "failures": 0,
                    "participants": list(nodes),
                    "training": {name: {"loss": 0.5 / number, "examples": 500, "seconds": 0.1} for name in nodes},
                }
                for number in (1, 2, 3)
            ],
        },
        "criteria": {
            "criteria": [
                {"id": "accuracy", "title": "Good", "wanted": "0.93", "found": "0.93", "passed": True},
                {"id": "time", "title": "Fast", "wanted": "2 times", "found": "not tried", "passed": None},
            ],
            "central": {"accuracy": 0.94},
            "timings": {"training": 18.0, "ratio": 1.1, "compared_rounds": 3, "central": 0.2},
            "data": {"alpha": 0.7, "nodes": {name: {"examples": 500, "classes": [0, 50, 100]} for name in nodes}},
        },
        "certificates": [{"what": "SuperLink", "pem": pem("link", datetime.datetime(2026, 12, 1))}],
        "versions": {"Flower": "1.41.0"},
    }
