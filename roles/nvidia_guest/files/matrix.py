# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Multiplies two matrices on the GPU through a machine learning framework, as an app of Flower would.

Called as ``python3 -c THIS REQUEST`` on the node. REQUEST is JSON: ``{"framework": "torch", "tensorflow" or "jax",
"timeout": seconds}``. It makes a copy of flower-superexec-client.service that runs this file in place of SuperExec, so
that user, devices, address filter and system calls are those of the apps, and not like them.
Prints JSON: ``framework``, ``device`` (its name), ``seconds``, ``ok`` and ``problem``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any

_APPS = "/etc/systemd/system/flower-superexec-client.service"
# Its name begins with flower-, so that systemd reads what all units of Flower have in common.
_UNIT = "flower-gpu-check.service"
_PLACE = "/run/systemd/system"
# Read after flower-.service.d/10-fact8ra.conf, which says how all units are started.
_DROP_IN = f"{_PLACE}/{_UNIT}.d"
_WORK = "/run/fact8ra-gpu-check"
_PYTHON = "/opt/flower/venv/bin/python"
_LEFT_OUT = ("ExecStart=", "LoadCredential=", "Restart", "OOMPolicy=", "After=", "PartOf=", "Description=", "Type=")
_SIZE = 1024
_NO_GPU = "the framework sees no GPU"


def units(apps: str, framework: str, timeout: int) -> tuple[str, str]:
    """The unit of the check, which is the apps' without what starts them, and the drop-in that starts the check."""
    lines, carried = [], False
    for line in apps.split("[Install]")[0].splitlines():
        left_out = carried or line.startswith(_LEFT_OUT)
        carried = left_out and line.endswith("\\")
        if not left_out:
            lines.append(line)
    own = [
        "[Unit]",
        "Description=Matrix product on the GPU of this node, as an app",
        "[Service]",
        "Type=oneshot",
        "Restart=no",
        f"TimeoutStartSec={timeout}",
        f"ExecStart={_PYTHON} {_WORK}/matrix.py --as-app {framework}",
        f"StandardOutput=truncate:{_WORK}/answer",
    ]
    return "\n".join(lines) + "\n", "\n".join(own) + "\n"


def multiply(framework: str) -> tuple[str, float]:
    """Name of the device, and seconds of a product whose value is known: rows of ones times a column of twos."""
    if framework == "torch":
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError(_NO_GPU)
        one = torch.ones((_SIZE, _SIZE), device="cuda")
        begin = time.monotonic()
        product = one @ (one * 2)
        low, high = float(product.min().item()), float(product.max().item())
        name = str(torch.cuda.get_device_name(product.device))
    elif framework == "tensorflow":
        import tensorflow

        if not tensorflow.config.list_physical_devices("GPU"):
            raise RuntimeError(_NO_GPU)
        with tensorflow.device("/GPU:0"):
            one = tensorflow.ones((_SIZE, _SIZE))
            begin = time.monotonic()
            product = tensorflow.matmul(one, one * 2)
            low, high = float(tensorflow.reduce_min(product)), float(tensorflow.reduce_max(product))
        details = tensorflow.config.experimental.get_device_details(tensorflow.config.list_physical_devices("GPU")[0])
        name = str(details.get("device_name", product.device))
    else:
        import jax

        # Without a GPU jax falls back to the CPU and says so in a warning.
        device = next((one for one in jax.devices() if one.platform in ("gpu", "cuda")), None)
        if device is None:
            raise RuntimeError(_NO_GPU)
        one = jax.device_put(jax.numpy.ones((_SIZE, _SIZE)), device)
        begin = time.monotonic()
        product = one @ (one * 2)
        low, high = float(product.min()), float(product.max())
        name = str(device.device_kind)
    seconds = time.monotonic() - begin
    if (low, high) != (2.0 * _SIZE, 2.0 * _SIZE):
        raise RuntimeError(f"the product is wrong: {low} to {high} in place of {2.0 * _SIZE}")
    return name, seconds


def as_app(framework: str) -> dict[str, Any]:
    """What the process within the unit answers; nothing that a framework raises is left to a traceback."""
    try:
        name, seconds = multiply(framework)
    except Exception as error:  # noqa: BLE001
        return {"ok": False, "device": None, "seconds": None, "problem": f"{type(error).__name__}: {error}"[:500]}
    return {"ok": True, "device": name, "seconds": round(seconds, 4), "problem": ""}


def check(framework: str, timeout: int, own: str) -> dict[str, Any]:
    """Run the unit and return its answer."""
    failed = {"framework": framework, "device": None, "seconds": None, "ok": False}
    try:
        with open(_APPS, encoding="utf-8") as stream:
            apps = stream.read()
    except OSError:
        return {
            **failed,
            "problem": f"there is no {_APPS}: the check needs the unit of the apps, run role supernode first",
        }
    os.makedirs(_WORK, mode=0o755, exist_ok=True)
    os.makedirs(_PLACE, exist_ok=True)
    try:
        os.makedirs(_DROP_IN, exist_ok=True)
        of_apps, of_check = units(apps, framework, timeout)
        texts = {f"{_WORK}/matrix.py": own, f"{_PLACE}/{_UNIT}": of_apps, f"{_DROP_IN}/20-check.conf": of_check}
        for path, text in texts.items():
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            # Apps must be able to read it, whatever umask this process has.
            os.chmod(path, 0o644)
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        started = subprocess.run(["systemctl", "start", _UNIT], stderr=subprocess.PIPE, check=False)
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"{_WORK}/answer", encoding="utf-8") as stream:
            # Frameworks print what they like before.
            return {"framework": framework, **json.loads(stream.read().splitlines()[-1])}
        log = subprocess.run(
            ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={_UNIT}", "--lines=8"],
            stdout=subprocess.PIPE,
            check=False,
        ).stdout.decode(errors="replace")
        said = f"{started.stderr.decode(errors='replace').strip()} {log.strip()}".split()
        return {**failed, "problem": f"the check ended without an answer: {' '.join(said)[-600:]}"}
    finally:
        with contextlib.suppress(OSError):
            os.unlink(f"{_PLACE}/{_UNIT}")
        shutil.rmtree(_DROP_IN, ignore_errors=True)
        shutil.rmtree(_WORK, ignore_errors=True)
        subprocess.run(["systemctl", "daemon-reload"], check=False)
        subprocess.run(["systemctl", "reset-failed", _UNIT], stderr=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    if sys.argv[1] == "--as-app":
        print(json.dumps(as_app(sys.argv[2])))
    else:
        request = json.loads(sys.argv[1])
        print(json.dumps(check(request["framework"], int(request["timeout"]), sys.orig_argv[2])))
