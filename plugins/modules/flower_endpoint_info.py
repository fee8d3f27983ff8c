#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_endpoint_info
short_description: Look at a SuperLink's address from a host, TLS and clock included
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Connects to a SuperLink, or to the proxy in front of it, as a SuperNode on this host would, and says what stands in
    the way; Flower itself ends without a word when the clocks differ.
  - A SuperLink that cannot be reached is a result, not a failure.
  - Needs Python's standard library alone.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
options:
  address:
    description: Address of the SuperLink as C(host:port), as the SuperNodes dial it.
    type: str
    required: true
  root_certificates:
    description: PEM file on this host with the authorities that may have issued the SuperLink's certificate.
    type: path
    default: /etc/flower/trust.crt
  timeout:
    description: Seconds for connecting and for the answer.
    type: float
    default: 10.0
"""

EXAMPLES = r"""
- name: Look at the SuperLink from every SuperNode
  fact8ra.flower.flower_endpoint_info:
    address: superlink.example.eu:8443
  register: endpoint
  failed_when: not endpoint.verified or endpoint.clock_offset | abs > 4
"""

RETURN = r"""
reachable:
  description: Whether a server listens at the address.
  returned: success
  type: bool
verified:
  description: Whether its certificate is valid, issued by a trusted authority, and names the address.
  returned: success
  type: bool
problem:
  description: What stands in the way, in words, or empty.
  returned: success
  type: str
  sample: its certificate does not name the address that was dialled
code:
  description: The same as a word, such as V(ok), V(refused), V(timeout), V(tls_authority), V(tls_name), V(tls_expired).
  returned: success
  type: str
status:
  description: HTTP status of C(/health); 200 from a SuperLink, 403 from the proxy that passes the Fleet API alone.
  returned: when verified
  type: int
certificate_days_left:
  description: Days until the certificate expires.
  returned: when verified
  type: float
certificate_names:
  description: Names and addresses in the certificate.
  returned: success
  type: list
  elements: str
clock_offset:
  description:
    - This host's clock minus the server's, in seconds, true to about one second; null when the server sent no date.
    - Flower refuses a SuperNode that is 5 s ahead or 305 s behind, and it then ends with status 0.
  returned: success
  type: float
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.endpoint import probe

SPEC = ArgumentSpec(
    argument_spec={
        "address": {"type": "str", "required": True},
        "root_certificates": {"type": "path", "default": "/etc/flower/trust.crt"},
        "timeout": {"type": "float", "default": 10.0},
    },
)


def look(module: AnsibleModule) -> Mapping[str, Any]:
    """Probe the address; raises FlowerFailure when the address or the file is unusable."""
    params = module.params
    seen = probe(params["address"], params["root_certificates"], params["timeout"])
    return {"changed": False, **seen.public()}


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), look)


if __name__ == "__main__":
    main()
