# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""An OCI archive of one image with the layout of Flower's own: environment at /python/venv, user app of number 49999.

Made of Debian's packages and a wheelhouse, without podman (OCI Image Format Specification 1.1), so that its digest is
known before a node sees it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PACKAGES = "python3,python3-venv,ca-certificates"
_SETUP = """set -e
groupadd --gid 49999 app
useradd --no-create-home --home-dir /app --uid 49999 --gid 49999 app
install -d -o app -g app /app
python3 -m venv /python/venv
/python/venv/bin/pip install --quiet --no-index --find-links /wheels {requirements}
chown -R app:app /python/venv
rm -rf /root/.cache
"""
_CONFIG = {
    "Env": ["PATH=/python/venv/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1", "HOME=/app"],
    "Entrypoint": ["flower-superlink"],
    "User": "app",
    "WorkingDir": "/app",
}


@dataclass(frozen=True)
class Archive:
    """An archive; `image` names what is in it by digest, `packed` and `unpacked` are the layer's bytes."""

    path: Path
    image: str
    packed: int
    unpacked: int


def tree(directory: Path, suite: str, wheelhouse: Path, requirements: Sequence[str]) -> None:
    """Make a root file system with Flower in it."""
    excludes = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
    options = ["--quiet", "--variant=minbase", f"--include={_PACKAGES}", "--dpkgopt=force-unsafe-io"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in excludes]
    subprocess.run(["mmdebstrap", *options, suite, str(directory)], check=True, timeout=1800)
    wheels = directory / "wheels"
    subprocess.run(["cp", "-r", str(wheelhouse), str(wheels)], check=True)
    script = _SETUP.format(requirements=" ".join(requirements))
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run(["chroot", str(directory), "sh", "-c", script], check=True, env=environment, timeout=600)
    subprocess.run(["rm", "-rf", str(wheels)], check=True)


def write(directory: Path, target: Path, name: str, tag: str) -> Archive:
    """Write the archive of an image whose only layer is a directory."""
    layer = subprocess.run(
        ["tar", "--sort=name", "--numeric-owner", "--exclude=./dev/*", "-C", str(directory), "-cf", "-", "."],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    packed = gzip.compress(layer, 6, mtime=0)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": _CONFIG,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar+gzip", packed)],
        }
    )
    described = _descriptor("manifest.v1+json", manifest)
    described["annotations"] = {"org.opencontainers.image.ref.name": f"{name}:{tag}"}
    files = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (packed, config, manifest)}
    files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = _json({"schemaVersion": 2, "manifests": [described]})
    with tarfile.open(target, "w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Archive(target, f"{name}@{described['digest']}", len(packed), len(layer))


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(blob)}
