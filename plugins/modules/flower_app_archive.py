#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_app_archive
short_description: Check a Flower app and pack it into one archive
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Reads an app directory, checks it against Flower's rules, and packs the files that Flower would take into a
    gzip-compressed tar. The same files give the same bytes.
  - Left out are links, hidden folders, caches, environments, and files of other kinds than Python, TOML, Markdown, YAML
    and JSON. Data belongs on the nodes.
  - Runs on the controller, with Python 3.11 or later; needs no flwr.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
options:
  path:
    description: App directory, with a C(pyproject.toml) that has a section C([tool.flwr.app]).
    type: path
    required: true
  dest:
    description: Archive to write, with its folder where missing; without it the app is checked only.
    type: path
  config:
    description: Overrides of the app's configuration, checked against what the app declares.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Pack the app
  fact8ra.flower.flower_app_archive:
    path: apps/poc
    dest: /tmp/poc.tar.gz
    config:
      num-server-rounds: 5
  delegate_to: localhost
  register: packed
"""

RETURN = r"""
app:
  description: What the app says of itself.
  returned: success
  type: dict
  contains:
    id:
      description: Publisher and name.
      type: str
      sample: fact8ra/poc
    name:
      description: Name of the app.
      type: str
    version:
      description: Version of the app.
      type: str
    publisher:
      description: Publisher of the app.
      type: str
    config:
      description: The configuration that the app declares, flat.
      type: dict
config:
  description: The overrides, flat and of the declared types.
  returned: success
  type: dict
checksum:
  description: SHA-256 of the archive.
  returned: success
  type: str
files:
  description: The files in the archive.
  returned: success
  type: list
  elements: str
size:
  description: Bytes of the archive.
  returned: success
  type: int
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.app import archive, fuse, read_app
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

SPEC = ArgumentSpec(
    argument_spec={
        "path": {"type": "path", "required": True},
        "dest": {"type": "path"},
        "config": {"type": "dict", "default": {}},
    },
)


def pack(module: AnsibleModule) -> Mapping[str, Any]:
    """Check and pack; raises FlowerFailure naming what is wrong with the app."""
    params = module.params
    app = read_app(params["path"])
    config = fuse(app, params["config"])
    content, members = archive(app)
    changed, before = _write(module, content) if params["dest"] else (False, "")
    checksum = hashlib.sha256(content).hexdigest()
    return {
        "changed": changed,
        "diff": {"before": {"checksum": before} if before else {}, "after": {"checksum": checksum}},
        "app": app.public(),
        "config": config,
        "checksum": checksum,
        "files": [path.as_posix() for path in members],
        "size": len(content),
    }


def _write(module: AnsibleModule, content: bytes) -> tuple[bool, str]:
    """Write the archive where it differs; return whether it did and the checksum that was there."""
    dest = Path(module.params["dest"])
    try:
        old = dest.read_bytes() if dest.exists() else None
        if old != content and not module.check_mode:
            dest.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            dest.write_bytes(content)
    except OSError as error:
        raise FlowerFailure("dest", f"dest {dest} cannot be written: {error}.") from error
    return old != content, "" if old is None else hashlib.sha256(old).hexdigest()


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), pack)


if __name__ == "__main__":
    main()
