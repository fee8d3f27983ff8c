# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the data files, which another program placed on this host."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from digits.model import CLASSES, PIXELS, Floats, Labels


class DataError(Exception):
    """Data that is missing or is not what it should be; the text is for the operator."""


def locate(directory: str, name: str, whose: str, remedy: str) -> Path:
    """Return the file ``name`` in ``directory`` (or ``directory`` itself where it is a file).

    Raises DataError that says ``whose`` data is missing, where it was looked for, and the ``remedy``.
    """
    if not directory:
        raise DataError(f"{whose} does not know where its data is: {remedy}")
    path = Path(directory)
    if path.is_dir():
        path /= name
    if not path.is_file():
        raise DataError(f"{whose} has no data: {path} does not exist; {remedy}")
    return path


def load(path: Path) -> tuple[Floats, Labels]:
    """Return images (n, PIXELS) in [0, 1] and labels (n,) in 0..CLASSES-1 from an .npz file.

    Raises DataError naming the file and what is wrong with it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in ("images", "labels"):
                if name not in archive:
                    raise DataError(f"{path} has no array {name!r}; it has to hold images and labels")
            images, labels = archive["images"], archive["labels"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as an .npz file: {error}") from error
    if images.ndim != 2 or images.shape[1] != PIXELS or images.dtype != np.float64:
        raise DataError(f"{path}: images are {images.dtype}{images.shape}; they have to be float64(n, {PIXELS})")
    if labels.shape != (len(images),) or labels.dtype != np.int64:
        raise DataError(f"{path}: labels are {labels.dtype}{labels.shape}; they have to be int64({len(images)},)")
    if not len(images):
        raise DataError(f"{path} holds no examples")
    if not ((images >= 0.0) & (images <= 1.0)).all():
        raise DataError(f"{path}: some images hold values outside of 0 to 1")
    if not ((labels >= 0) & (labels < CLASSES)).all():
        raise DataError(f"{path}: some labels are not digits")
    return images, labels
