# SPDX-License-Identifier: Apache-2.0
"""No raw sample leaves its node: the traffic between the sites is recorded, decrypted and searched for one."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import STATE, Lab
from playbooks import play
from traffic import Capture, compressed, find

pytestmark = [pytest.mark.lab, pytest.mark.root]

NODE = "beta-supernode-0"
KEYS = "/var/lib/flower/supernode/tls-keys.log"
# Flower makes its TLS contexts itself, so that SSLKEYLOGFILE has no effect; a hook of Python's start does the same.
HOOK = "/run/tls-keys"
DROPIN = "/run/systemd/system/flower-supernode.service.d/keys.conf"
LOG_KEYS = f"""
import ssl
make = ssl.SSLContext.__new__
def logging(cls, *arguments, **options):
    context = make(cls, *arguments, **options)
    context.keylog_filename = "{KEYS}"
    return context
ssl.SSLContext.__new__ = logging
"""
CONTROLLER = STATE / "controller" / "poc"
ON_ITS_NODE = (
    'import numpy, sys; arrays = numpy.load("/var/lib/flower/data/digits.npz"); '
    'print(any(bytes.fromhex(sys.argv[1]) in arrays[name].astype("float64").tobytes() for name in arrays.files))'
)


@pytest.fixture
def node(lab: Lab) -> Iterator[str]:
    """Address of a SuperNode that logs the keys of its TLS sessions from its next start on."""
    address = lab.hosts()[NODE]
    lab.run(
        address,
        f"mkdir -p {HOOK} $(dirname {DROPIN}) && cat > {HOOK}/sitecustomize.py <<'END'\n{LOG_KEYS}END\n"
        f"printf '[Service]\\nEnvironment=PYTHONPATH={HOOK}\\n' > {DROPIN} && systemctl daemon-reload",
    )
    yield address
    lab.run(
        address,
        f"rm -rf {HOOK} $(dirname {DROPIN}) {KEYS} && systemctl daemon-reload && systemctl restart flower-supernode",
    )


def test_the_search_finds_what_is_there() -> None:
    sample = struct.pack("<64d", *(random.Random(1).random() for _unused in range(64)))
    noise = random.Random(2).randbytes(100_000)
    assert find(noise, sample) == []
    assert find(noise + sample + noise, sample) == ["raw"]
    assert find(noise + sample.hex().encode() + noise, sample) == ["hex"]
    assert find(noise + compressed(noise + sample) + noise, sample) == ["raw"]
    half = noise + sample[256:] + noise
    assert find(half, sample) == ["raw"], "a part of the sample is enough"


def test_no_raw_sample_crosses_between_the_sites(lab: Lab, node: str, tmp_path: Path) -> None:
    with Capture("f8-wan", tmp_path / "wan.pcapng") as capture:
        # A session can only be decrypted when its beginning was recorded.
        lab.run(node, "systemctl restart flower-supernode")
        play("verify").succeeded()
        play(
            "poc",
            "-e",
            f"poc_planted_sample=true poc_planted_node={NODE} poc_rounds=2 poc_repeat_rounds=0 poc_baseline_rounds=0",
        ).succeeded()
    keys = tmp_path / "keys.log"
    keys.write_text(lab.run(node, f"cat {KEYS}").stdout, encoding="utf-8")
    said = capture.plaintext(keys)

    manifest = json.loads((CONTROLLER / "poc/data/manifest.json").read_text(encoding="utf-8"))
    forms = {kind: manifest["planted"][f"{kind}_hex"] for kind in ("float64", "float32")}
    planted = forms["float64"]
    assert lab.run(node, f"/opt/flower/venv/bin/python -c '{ON_ITS_NODE}' {planted}").stdout.strip() == "True"

    # The weights, which do travel, are found in the same place: each way in both rounds.
    assert said.count(b"\x93NUMPY") >= 4
    assert len(said) > 100_000
    for form in forms.values():
        assert find(said, bytes.fromhex(form)) == []
        assert find(capture.path.read_bytes(), bytes.fromhex(form)) == []
