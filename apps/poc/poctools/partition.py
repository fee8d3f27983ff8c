# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Deals scikit-learn's handwritten digits out to the nodes of a federation, each node another mix of the classes."""

from __future__ import annotations

import io
import re
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from digits.model import CLASSES, PIXELS, Floats, Labels
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from poctools.common import TEST_FILE, TRAIN_FILE, ToolError, write, write_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ATTEMPTS = 200
Indices = NDArray[np.int64]


def pooled() -> tuple[Floats, Labels]:
    """Return all 1,797 digits of scikit-learn: images (n, PIXELS) scaled to [0, 1] and labels (n,)."""
    images, labels = load_digits(return_X_y=True)
    return np.ascontiguousarray(images, dtype=np.float64) / 16.0, np.asarray(labels, dtype=np.int64)


def hold_out(labels: Labels, share: float, rng: np.random.Generator) -> tuple[Indices, list[Indices]]:
    """Return the indices held out, ``share`` of each class, and the rest by class, shuffled."""
    held, rest = [], []
    for digit in range(CLASSES):
        mine = rng.permutation(np.flatnonzero(labels == digit))
        count = max(1, round(len(mine) * share))
        held.append(mine[:count])
        rest.append(mine[count:])
    return np.sort(np.concatenate(held)), rest


def deal(rest: Sequence[Indices], nodes: int, alpha: float, minimum: int, rng: np.random.Generator) -> list[Indices]:
    """Deal each class out in shares of a symmetric Dirichlet distribution (Hsu et al. 2019); return indices by node.

    Draws anew until every node has ``minimum`` examples; raises ToolError if that does not come about.
    """
    for _unused in range(ATTEMPTS):
        parts: list[list[Indices]] = [[] for _unused in range(nodes)]
        for mine in rest:
            cuts = np.rint(np.cumsum(rng.dirichlet(np.full(nodes, alpha)))[:-1] * len(mine)).astype(np.int64)
            for part, share in zip(parts, np.split(mine, cuts), strict=True):
                part.append(share)
        dealt = [np.sort(np.concatenate(part)) for part in parts]
        if min(len(part) for part in dealt) >= minimum:
            return dealt
    raise ToolError(
        f"with alpha {alpha:g} no draw of {ATTEMPTS} gave each of {nodes} nodes {minimum} examples; "
        "raise alpha or lower the minimum"
    )


def planted(seed: int) -> Floats:
    """Return an image (PIXELS,) of noise that is no digit: what a capture of the traffic is searched for."""
    return np.random.default_rng([seed, zlib.crc32(b"planted")]).uniform(0.0, 1.0, PIXELS)


def archive(images: Floats, labels: Labels) -> bytes:
    """Return an .npz file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, images=images, labels=labels)
    return buffer.getvalue()


def partition(
    nodes: Sequence[str], out: Path, *, seed: int, alpha: float, held_out: float, minimum: int, plant: str | None
) -> dict[str, Any]:
    """Write ``nodes/<name>/digits.npz``, ``server/digits-test.npz`` and ``manifest.json`` below ``out``.

    ``plant`` names the node that gets one planted image on top of its share. Returns the manifest and ``changed``.
    Raises ToolError naming the argument that is wrong.
    """
    for name in nodes:
        if not NAME.fullmatch(name):
            raise ToolError(f"node name {name!r}: it has to be letters, digits, dots, dashes and underscores")
    if not nodes or len(set(nodes)) != len(nodes):
        raise ToolError(f"--node is given for {list(nodes)}; it has to name each node of the federation once")
    if not alpha > 0:
        raise ToolError(f"--alpha is {alpha}; it has to be above 0 (small: unequal, large: equal shares)")
    if not 0 < held_out < 1:
        raise ToolError(f"--held-out is {held_out}; it has to be between 0 and 1")
    if plant is not None and plant not in nodes:
        raise ToolError(f"--plant {plant}: there is no such node; there are {', '.join(sorted(nodes))}")
    images, labels = pooled()
    rng = np.random.default_rng([seed, zlib.crc32(b"partition")])
    held, rest = hold_out(labels, held_out, rng)
    # By name, so that the order of the inventory does not matter.
    names = sorted(nodes)
    dealt = deal(rest, len(names), alpha, minimum, rng)
    changed = write(out / "server" / TEST_FILE, archive(images[held], labels[held]))
    manifest: dict[str, Any] = {
        "data": "scikit-learn digits",
        "seed": seed,
        "alpha": alpha,
        "pooled": len(labels),
        "held_out": counts(labels[held]),
        "nodes": {},
    }
    for name, mine in zip(names, dealt, strict=True):
        own_images, own_labels = images[mine], labels[mine]
        if name == plant:
            sample = planted(seed)
            own_images, own_labels = np.vstack([own_images, sample]), np.append(own_labels, 0)
            manifest["planted"] = {
                "node": name,
                "label": 0,
                "float64_hex": sample.astype("<f8").tobytes().hex(),
                "float32_hex": sample.astype("<f4").tobytes().hex(),
            }
        changed |= write(out / "nodes" / name / TRAIN_FILE, archive(own_images, own_labels))
        manifest["nodes"][name] = counts(own_labels)
    for stale in (out / "nodes").iterdir():
        if stale.name not in nodes:
            shutil.rmtree(stale)
            changed = True
    changed |= write_json(out / "manifest.json", manifest)
    return {"changed": changed, "manifest": manifest}


def counts(labels: Labels) -> dict[str, Any]:
    """Return the number of examples, in all and by class."""
    return {"examples": len(labels), "classes": np.bincount(labels, minlength=CLASSES).tolist()}
