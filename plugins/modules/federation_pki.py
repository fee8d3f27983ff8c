#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module that keeps the certificates and keys of a Flower federation."""

from __future__ import annotations

DOCUMENTATION = r"""
module: federation_pki
short_description: Keep the certificates and keys of a Flower federation
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Keeps one directory on the controller that holds everything a federation's trust rests on, declared as one object
    and brought to that declaration in one call.
  - The CA's key is encrypted and never leaves the directory. The SuperLink gets a certificate for every name and
    address under which it is dialled, each SuperNode a key pair of its own.
  - The SuperLink's certificate is issued anew only when its names or addresses change, when it was issued by another
    CA, when it expires within O(renew_before_days), or by O(reissue_superlink). Its key stays.
  - The CA is replaced in the three steps of O(rollover). O(ca) always describes the newest CA, so that the new one may
    have another name, type of key or constraints.
  - The certificate may also come from the operator's own PKI, by O(superlink.source). No CA is made then.
  - Files are written whole or not at all; a run that was cut short is finished by the next one.
requirements:
  - cryptography >= 42 on the host that runs the module
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
options:
  directory:
    description: Directory of the PKI on the host that runs the module. It is made with mode V(0700) when missing.
    type: path
    required: true
  state:
    description:
      - V(present) brings the directory to the declaration.
      - V(absent) removes every file that this module made, and the directory when nothing else is in it.
    type: str
    choices: [present, absent]
    default: present
  ca:
    description: The CA of the federation. Required for O(superlink.source=issued).
    type: dict
    suboptions:
      common_name:
        description: Common name of the CA, at most 64 characters. Another name needs a new CA by O(rollover).
        type: str
        required: true
      key_type:
        description: Type of the CA's key. Another type, curve or size needs a new CA by O(rollover).
        type: str
        choices: [ec, rsa]
        default: ec
      curve:
        description: Curve of an EC key.
        type: str
        choices: [P-256, P-384, P-521]
        default: P-384
      key_size:
        description: Size of an RSA key in bits.
        type: int
        choices: [3072, 4096]
        default: 4096
      validity_days:
        description: Validity of the CA's certificate in days, from when it is made.
        type: int
        default: 3650
      passphrase:
        description: Passphrase that the CA's key is encrypted with, 8 to 1023 bytes.
        type: str
        required: true
      permitted_names:
        description:
          - DNS domains that the CA may issue for, each with everything below it. Other domains need a new CA.
          - With this or O(ca.permitted_addresses) the CA's certificate has critical name constraints, which always
            permit V(localhost), V(127.0.0.0/8) and V(::1) too. Names and addresses outside are refused.
        type: list
        elements: str
        default: []
        version_added: 1.1.0
      permitted_addresses:
        description: IPv4 and IPv6 networks that the CA may issue for, as O(ca.permitted_names).
        type: list
        elements: str
        default: []
        version_added: 1.1.0
  rollover:
    description:
      - Step of the CA's replacement. The directory is in one of the phases that RV(rollover.phase) names.
      - V(none) stays in the phase and finishes what was cut short.
      - V(trust) makes a new CA, C(ca.next.key) and C(ca.next.crt), and puts it into C(trust.crt) next to the old one,
        which goes on issuing. It begins only in phase V(none); in the others nodes trust both already.
      - V(switch) makes the new CA the one that issues, and destroys the key of the old one, whose certificate stays in
        C(trust.crt) and as C(ca.previous.crt). Every node must have the C(trust.crt) of V(trust) before.
      - V(drop) removes the old CA's certificate. The SuperLink must run with the certificate of V(switch) before.
      - To give V(trust) up, remove C(ca.next.crt) and C(ca.next.key).
    type: str
    choices: [none, trust, switch, drop]
    default: none
    version_added: 1.1.0
  superlink:
    description: The SuperLink's certificate. Required for O(state=present).
    type: dict
    suboptions:
      names:
        description: DNS names under which the SuperLink is dialled. V(localhost) is always added.
        type: list
        elements: str
        default: []
      addresses:
        description:
          - IPv4 and IPv6 addresses under which the SuperLink is dialled. V(127.0.0.1), V(127.0.0.2) (the way of
            ServerApps) and V(::1) are always added.
        type: list
        elements: str
        default: []
      validity_days:
        description: Validity in days. It ends with the CA's at the latest.
        type: int
        default: 397
      source:
        description:
          - V(issued) is by the CA of the directory.
          - V(provided) takes over O(superlink.certificate), O(superlink.key) and O(superlink.trust).
          - V(request) makes the key and C(superlink.csr), and takes over O(superlink.certificate) once that file is
            there.
          - What is brought is checked before anything is replaced; the key, the chain, every name and address, the
            dates, and the use for TLS servers.
        type: str
        choices: [issued, provided, request]
        default: issued
        version_added: 1.1.0
      certificate:
        description: PEM file with the certificate from elsewhere, followed by those of its intermediate CAs.
        type: path
        version_added: 1.1.0
      key:
        description: PEM file with the certificate's private key.
        type: path
        version_added: 1.1.0
      key_passphrase:
        description: Passphrase of O(superlink.key), where it is encrypted.
        type: str
        version_added: 1.1.0
      trust:
        description: PEM file with the self-signed certificates that nodes are to trust.
        type: path
        version_added: 1.1.0
  reissue_superlink:
    description:
      - Whether the SuperLink's certificate is issued anew whatever its state. The CA and every key stay.
      - It is not idempotent; every run issues one. For a new key too, remove C(superlink.key).
    type: bool
    default: false
    version_added: 1.1.0
  supernodes:
    description:
      - Names of the SuperNodes. Each gets an EC P-384 key pair in the format of OpenSSH, the one that Flower reads.
    type: list
    elements: str
    default: []
  supernode_keys:
    description:
      - V(controller) makes the SuperNodes' keys in the directory.
      - V(node) makes none. C(supernodes/NAME.pub) of each must be there, but for check mode; it is checked, and private
        keys of O(supernodes) are removed from the directory.
      - Two SuperNodes with the same key are refused in either case.
    type: str
    choices: [controller, node]
    default: controller
    version_added: 1.1.0
  renew_supernodes:
    description:
      - SuperNodes of O(supernodes) that are given a new key, for O(supernode_keys=controller). Nothing of the old one
        is kept.
      - It is not idempotent; every run makes new ones.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  purge_supernodes:
    description:
      - Whether the keys of SuperNodes that are not in O(supernodes) are removed.
      - A key that Flower has unregistered cannot be registered again, so a SuperNode that comes back under the same
        name needs a new one.
    type: bool
    default: false
  renew_before_days:
    description: How many days before its end the SuperLink's certificate is issued anew.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Issue what the federation needs
  fact8ra.flower.federation_pki:
    directory: ~/.fact8ra/poc/pki
    ca:
      common_name: poc federation CA
      passphrase: "{{ vault_pki_ca_passphrase }}"
    superlink:
      names: [superlink.example.org]
      addresses: [192.0.2.10, "2001:db8::10"]
    supernodes: [hospital-a, hospital-b]
  delegate_to: localhost
  run_once: true

- name: Replace the CA by one with an EC key, first step
  fact8ra.flower.federation_pki:
    directory: ~/.fact8ra/poc/pki
    ca:
      common_name: poc federation CA
      key_type: ec
      passphrase: "{{ vault_pki_ca_passphrase }}"
    superlink:
      names: [superlink.example.org]
    rollover: trust
  delegate_to: localhost
  run_once: true

- name: Ask another CA for the certificate, and take it over once it is there
  fact8ra.flower.federation_pki:
    directory: ~/.fact8ra/poc/pki
    superlink:
      names: [superlink.example.org]
      source: request
      certificate: ~/superlink.pem
      trust: ~/our-root.pem
  delegate_to: localhost
  run_once: true
  register: pki

- name: Destroy the federation's trust
  fact8ra.flower.federation_pki:
    directory: ~/.fact8ra/poc/pki
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode, in order.
  type: list
  elements: dict
  returned: success
  contains:
    object:
      description: What changed, for example V(ca), V(trust), V(superlink), V(supernode hospital-a), V(modes).
      type: str
    reason:
      description: Why.
      type: str
  sample:
    - {object: superlink, reason: "names or addresses changed: +IP:192.0.2.11"}
rollover:
  description: Where the CA's replacement stands.
  type: dict
  returned: O(state=present)
  contains:
    phase:
      description:
        - V(none), one CA; V(trust), nodes are to trust RV(ca_next) too; V(switch), nodes still trust RV(ca_previous).
      type: str
ca:
  description: The certificate of the CA that issues. In check mode it is left out while there is none.
  type: dict
  returned: O(superlink.source=issued)
  contains: &certificate
    path:
      description: File that holds the certificate.
      type: str
    subject:
      description: Subject as in RFC 4514.
      type: str
    issuer:
      description: Issuer as in RFC 4514.
      type: str
    serial:
      description: Serial number, hexadecimal.
      type: str
    fingerprint_sha256:
      description: SHA-256 of the certificate in DER, hexadecimal.
      type: str
    not_before:
      description: Begin of validity, ISO 8601 in UTC.
      type: str
    not_after:
      description: End of validity, ISO 8601 in UTC.
      type: str
    not_after_timestamp:
      description: End of validity in seconds since the epoch.
      type: int
    days_left:
      description: Whole days until the end of validity, negative after it.
      type: int
    sans:
      description: Subject alternative names, each as V(DNS:name) or V(IP:address).
      type: list
      elements: str
ca_next:
  description: The certificate of the CA that will issue.
  type: dict
  returned: RV(rollover.phase=trust)
  contains: *certificate
ca_previous:
  description: The certificate of the CA that issued before.
  type: dict
  returned: RV(rollover.phase=switch)
  contains: *certificate
trust:
  description: The certificates in C(trust.crt).
  type: list
  elements: dict
  returned: O(state=present)
  contains: *certificate
request:
  description: What stands between here and a certificate that another CA signs.
  type: dict
  returned: O(superlink.source=request)
  contains:
    path:
      description: The certificate signing request, in PEM.
      type: str
    awaited:
      description: Whether a certificate is awaited for it.
      type: bool
    reason:
      description: Why one is awaited, empty when none is.
      type: str
    usable:
      description: Whether C(superlink.crt) is there and right today, so that a deployment may go on with it.
      type: bool
superlink:
  description: The SuperLink's certificate. In check mode it is left out while there is none.
  type: dict
  returned: O(state=present)
  contains: *certificate
supernode_public_keys:
  description: Public key of each SuperNode in O(supernodes) by name, as a line of OpenSSH.
  type: dict
  returned: O(state=present)
  sample:
    hospital-a: ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ... hospital-a
files:
  description: Paths of the files that a deployment hands out.
  type: dict
  returned: O(state=present)
  contains:
    trust:
      description: Bundle of the certificates that a node must trust.
      type: str
    superlink_certificate:
      description: The SuperLink's certificate, for TLS.
      type: str
    superlink_key:
      description: The SuperLink's private key.
      type: str
    supernode_keys:
      description: Private key file of each SuperNode by name.
      type: dict
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import library
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.argspec import ARGUMENTS
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.authority import FederationPki
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import parse
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import Store


def present(module: AnsibleModule) -> dict[str, Any]:
    """Bring the directory to the declaration and return what the module returns."""
    declared = parse(module.params)
    store = Store(declared.directory)
    if module.check_mode:
        return _result(module, FederationPki(declared, store, check_mode=True))
    with store.locked():
        return _result(module, FederationPki(declared, store))


def _result(module: AnsibleModule, pki: FederationPki) -> dict[str, Any]:
    changes = pki.changes()
    for warning in pki.warnings:
        module.warn(warning)
    before = pki.described()
    after = pki.expected(changes)
    if not module.check_mode:
        for change in changes:
            change.perform()
        after = pki.described()
    result = {
        "changed": bool(changes),
        "changes": [{"object": change.object, "reason": change.reason} for change in changes],
        "diff": {"before": before, "after": after},
        **pki.result(),
    }
    if pki.refusal is not None:
        module.fail_json(msg=pki.refusal, **result)
    return result


def absent(module: AnsibleModule) -> dict[str, Any]:
    """Remove what the module made and return what the module returns."""
    store = Store(Path(module.params["directory"]))
    names = store.known() if store.exists() else []
    if names and not module.check_mode:
        with store.locked():
            for name in names:
                store.remove(name)
            store.remove_empty_directories()
    return {
        "changed": bool(names),
        "changes": [{"object": name, "reason": "is to be absent"} for name in names],
        "diff": {"before": {"files": names}, "after": {"files": []}},
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ("superlink",))],
        supports_check_mode=True,
    )
    if library.IMPORT_ERROR is not None:
        module.fail_json(
            msg=missing_required_lib(f"cryptography >= {library.MINIMUM_VERSION}"), exception=library.IMPORT_ERROR
        )
    try:
        result = absent(module) if module.params["state"] == "absent" else present(module)
    except PkiError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
