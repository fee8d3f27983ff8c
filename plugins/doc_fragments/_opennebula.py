# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that speak to OpenNebula; private to the collection.

The argument specifications of the same names are in plugins/module_utils/_argspec.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with."""

    # CONNECTION
    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - URL of the XML-RPC interface of OpenNebula, such as V(http://one.example.com:2633/RPC2). It may carry a path.
      - If the option is not given, the value of the environment variable E(ONE_URL), E(ONE_XMLRPC) or
        E(OPENNEBULA_ENDPOINT) is used, whichever is set first in this order.
      - Proxies named in the environment are not used.
    type: str
    required: true
  flow_endpoint:
    description:
      - URL of the REST interface of OneFlow, such as V(http://one.example.com:2474). It may carry a path.
      - Only the modules that speak to OneFlow need it. All others accept it, so that it can be set once for the action
        group.
      - If the option is not given, the value of the environment variable E(ONEFLOW_URL) or
        E(OPENNEBULA_FLOW_ENDPOINT) is used.
    type: str
  username:
    description:
      - OpenNebula user.
      - If the option is not given, the user in O(auth_file) is used, otherwise the value of the environment variable
        E(ONE_USERNAME) or E(OPENNEBULA_USERNAME), otherwise the user in the file that E(ONE_AUTH) names, otherwise the
        one in C(~/.one/one_auth).
    type: str
  password:
    description:
      - Password or login token of the user. It may contain colons.
      - If the option is not given, it is looked for in the same places as O(username), with the environment variables
        E(ONE_PASSWORD) and E(OPENNEBULA_PASSWORD).
    type: str
  auth_file:
    description:
      - File with one line C(USER:PASSWORD), as OpenNebula's own tools use it. It is read on the host that runs the
        module, and only when O(username) or O(password) is not given.
      - With O(username) as well, the user in the file has to be the same.
      - If the option is not given, the file named by the environment variable E(ONE_AUTH) is used, otherwise
        C(~/.one/one_auth) where it exists, but only for what no option and no other variable gives.
    type: path
    version_added: 1.1.0
  validate_certs:
    description:
      - Whether to verify the certificate of an C(https) endpoint and the name in it.
      - If the option is not given, certificates are verified unless the environment variable E(OPENNEBULA_INSECURE) is
        true.
    type: bool
  ca_path:
    description:
      - PEM file, or directory of PEM files named by hash, with the certificate authorities to trust instead of those of
        the system. It is read on the host that runs the module.
      - E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE) are not used.
    type: path
  connect_timeout:
    description:
      - Most seconds for the connection to an endpoint.
    type: float
    default: 10.0
  read_timeout:
    description:
      - Most seconds without a sign of life from an endpoint while waiting for its answer.
    type: float
    default: 60.0
requirements:
  - pyone >= 6.8
notes:
  - Modules of this group run where the endpoint can be reached, usually with C(connection=local).
  - An option that is given comes before the environment.
  - Requests that change something are sent once. Those that only read are repeated twice after a broken connection or
    a gateway error.
  - A module that fails returns C(failure) beside C(msg), with the keys C(code) (a word that stays the same between
    releases, such as V(not_found)), C(object) (kind and name), C(id), C(operation) (the call, such as
    V(one.vn.update)), C(server_message) (what the server said) and C(details). What is not known is null.
"""

    IDENTITY = r"""
options:
  id:
    description:
      - Id of the object. The object has to exist.
      - With O(name) as well, the object gets that name.
    type: int
  name:
    description:
      - Name of the object.
      - Names are unique for each owner only. Without O(id), the name means the object that belongs to O(owner),
        otherwise the one that belongs to the connecting user. When only others own an object of that name and O(owner)
        is not given, the module fails and says who.
    type: str
"""

    STATE = r"""
options:
  state:
    description:
      - Whether the object has to be there.
    type: str
    choices: [present, absent]
    default: present
"""

    PERMISSIONS = r"""
options:
  owner:
    description:
      - User that owns the object, by name or id. Changing it needs the rights of an administrator.
    type: str
  group:
    description:
      - Group of the object, by name or id.
    type: str
  mode:
    description:
      - Permissions as three octal digits for the owner, the group and all others, as a sum of 4 (use), 2 (manage) and
        1 (administer).
      - Has to be quoted, since YAML takes an unquoted C(0640) for the number 416.
    type: raw
"""
