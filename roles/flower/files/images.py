# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings container images to the node, by digest, and asks each for its version of Flower.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"images": [{"image": image by digest, "program": program in it}], "archives": [path], "version": version of flwr}

What podman lacks comes from the archives, which are all loaded, or from the image's own registry when there is none.
An image counts as there when podman knows this name by this digest: podman computes it of what it has stored.
Exits with 1 and one paragraph on standard error when something is in the way.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

# The image's own code runs here as nobody, with no network, no right and nothing of the node.
_CONFINED = [
    "--rm",
    "--pull=never",
    "--network=none",
    "--cgroups=disabled",
    "--read-only",
    "--cap-drop=all",
    "--user=65534:65534",
    "--security-opt=no-new-privileges",
    "--log-driver=none",
]


class ImageError(Exception):
    """Something that the operator has to put right."""


def podman(*words: str) -> subprocess.CompletedProcess[str]:
    """Call podman; its exit status is for the caller to judge."""
    return subprocess.run(
        ["podman", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """The last lines that a command printed."""
    return "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])


def missing(images: list[str]) -> list[str]:
    """Images that podman does not have."""
    return [image for image in images if podman("image", "exists", image).returncode]


def load(archive: str) -> None:
    """Take in the images of an archive (docker-archive or oci-archive)."""
    done = podman("load", "--quiet", "--input", archive)
    if done.returncode:
        raise ImageError(f"flower_image_archives: podman cannot load an archive: {tail(done)}")


def pull(image: str) -> None:
    """Fetch an image from its registry."""
    done = podman("pull", "--quiet", image)
    if done.returncode:
        raise ImageError(
            f"{image} cannot be pulled: {tail(done)}\nIf this node reaches no registry, give flower_image_archives"
        )


def known_digests(image: str) -> str:
    """The digests under which podman knows the name of an image, for a message."""
    name = image.partition("@")[0]
    done = podman("images", "--digests", "--no-trunc", "--format", "{{.Repository}}@{{.Digest}}")
    found = sorted({line for line in done.stdout.splitlines() if line.partition("@")[0] == name})
    return ", ".join(found) or f"no image {name}"


def check_version(image: str, program: str, version: str) -> None:
    """Hold an image's Flower against the version that the federation runs."""
    done = podman("run", *_CONFINED, "--entrypoint", program, image, "--version")
    said = done.stdout.split()
    if done.returncode or not said:
        raise ImageError(f"{image} has no {program} that runs: {tail(done) or 'it printed nothing'}")
    if said[-1] != version:
        raise ImageError(
            f"{image} has Flower {said[-1]}, but flower_version is {version}: the digest is another version's"
        )


def bring(request: dict[str, Any]) -> None:
    """Answer a request, see the module's docstring."""
    images = sorted({entry["image"] for entry in request["images"]})
    wanted = missing(images)
    if wanted and request["archives"]:
        for archive in request["archives"]:
            load(archive)
    else:
        for image in wanted:
            pull(image)
    for image in missing(images):
        raise ImageError(
            f"{image} is in none of flower_image_archives, which brought {known_digests(image)}. An archive that keeps"
            " the digest is made with: skopeo copy --preserve-digests docker://IMAGE oci-archive:FILE:NAME:TAG"
        )
    for entry in request["images"]:
        check_version(entry["image"], entry["program"], request["version"])


if __name__ == "__main__":
    try:
        bring(json.loads(sys.argv[1]))
    except (ImageError, OSError) as fault:
        sys.exit(str(fault))
