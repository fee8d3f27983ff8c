#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_endpoint_info
short_description: Look at a SuperLink's address from a host, with TLS, clock and the host's own identity
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Connects to a SuperLink, or to the proxy in front of it, as a SuperNode on this host would, and says what stands in
    the way; Flower itself ends without a word when the clocks differ.
  - A SuperLink that cannot be reached is a result, not a failure.
  - Flower has nearly the same words for a key that is unknown, revoked or in use, so this also tells which key and
    which authorities the host has; of a private key the public half alone is read.
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
  key:
    description: Private key file of the SuperNode on this host, of which the public half's fingerprint is returned.
    type: path
    version_added: 1.1.0
  unit:
    description: Systemd unit on this host that should hold a connection to the port of O(address).
    type: str
    version_added: 1.1.0
  warn_days:
    description:
      - Days before the end of the SuperLink's certificate, or of one in O(root_certificates), from which on a warning
        says what to run. With V(0) there is none.
    type: int
    default: 0
    version_added: 1.1.0
"""

EXAMPLES = r"""
- name: Look at the SuperLink from every SuperNode
  fact8ra.flower.flower_endpoint_info:
    address: superlink.example.eu:8443
    key: /etc/flower/supernode.key
    unit: flower-supernode.service
    warn_days: 21
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
authorities:
  description: The certificates in O(root_certificates), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: Common name.
      type: str
    fingerprint_sha256:
      description: SHA-256 of the certificate in DER, hexadecimal.
      type: str
    not_after:
      description: End of validity, ISO 8601 in UTC.
      type: str
    days_left:
      description: Days until then, negative after it.
      type: float
key_fingerprint:
  description: Fingerprint of the public half of O(key) as C(ssh-keygen -l) prints it, or empty.
  returned: success
  type: str
key_problem:
  description: Why there is no fingerprint, or empty.
  returned: success
  type: str
connected:
  description: Whether O(unit) holds a connection to the port; null without O(unit).
  returned: success
  type: bool
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower import identity
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.endpoint import Endpoint, probe, split_address

SPEC = ArgumentSpec(
    argument_spec={
        "address": {"type": "str", "required": True},
        "root_certificates": {"type": "path", "default": "/etc/flower/trust.crt"},
        "timeout": {"type": "float", "default": 10.0},
        "key": {"type": "path", "no_log": False},
        "unit": {"type": "str"},
        "warn_days": {"type": "int", "default": 0},
    },
)

# A connection that is made anew is missed for a moment, so it is looked for this often, this many seconds apart.
_LOOKS = 5
_APART = 0.5


def look(module: AnsibleModule) -> Mapping[str, Any]:
    """Probe the address; raises FlowerFailure when the address or the file is unusable."""
    params = module.params
    seen = probe(params["address"], params["root_certificates"], params["timeout"])
    trusted = identity.authorities(Path(params["root_certificates"]).read_text(encoding="ascii"), time.time())
    for warning in ending(params["address"], seen, trusted, params["warn_days"]):
        module.warn(warning)
    fingerprint, problem = identity.key_fingerprint(params["key"]) if params["key"] else ("", "")
    return {
        "changed": False,
        **seen.public(),
        "authorities": [authority.__dict__ for authority in trusted],
        "key_fingerprint": fingerprint,
        "key_problem": problem,
        "connected": _connected(params["unit"], split_address(params["address"])[1]) if params["unit"] else None,
    }


def ending(address: str, seen: Endpoint, trusted: list[identity.Authority], days: int) -> list[str]:
    """Say which certificates end within so many days, and what to run."""
    told = []
    left = seen.certificate_days_left
    if days and left is not None and left < days:
        told.append(
            f"The certificate of the SuperLink at {address} ends in {left:.0f} days: run playbooks/rotate.yml with "
            "-e rotate=leaf, or playbooks/site.yml when it is within pki_renew_before_days."
        )
    for authority in trusted:
        if days and authority.days_left < days:
            told.append(
                f"The authority {authority.subject} ({authority.fingerprint_sha256[:16]}) that the SuperNodes trust "
                f"ends in {authority.days_left:.0f} days: run playbooks/rotate.yml with -e rotate=ca."
            )
    return told


def _connected(unit: str, port: int) -> bool:
    for number in range(_LOOKS):
        if number:
            time.sleep(_APART)
        if identity.connected(unit, port):
            return True
    return False


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), look)


if __name__ == "__main__":
    main()
