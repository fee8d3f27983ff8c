# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds the images of the appliances, without booting them.

| Module | Does |
| --- | --- |
| `recipe` | what an image is made of, its name for the same inputs, and what is refused |
| `base` | the root file system to begin with: Debian from packages, a directory, or the disk of an image |
| `wheels` | the Python packages of the lock files |
| `tree` | puts packages, environments, collection and units into that root file system |
| `clean` | takes out what only the build had, and makes times the same for every build |
| `disk`, `given` | a disk of its own with boot loader, or a given image with its root file system exchanged |
| `sbom` | lists of what is inside |
| `build` | all of it, whole or not at all |
"""

from __future__ import annotations
