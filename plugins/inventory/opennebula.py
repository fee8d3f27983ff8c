# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of the VMs of OneFlow services; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: opennebula
short_description: VMs of OneFlow services as hosts
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Makes a host of each running VM of the OneFlow services at one or many OpenNebula sites, and groups them by role and
    site.
  - Asks all sites at the same time, each with one call of OneFlow and one of OpenNebula.
  - The groups of O(role_groups) and one C(site_NAME) a site are there even when they are empty.
  - Each host has the variables C(site_name), C(ansible_host) where the VM has an address, and, with O(hostvars_prefix)
    before their names, C(id), C(name), C(ordinal), C(role), C(service), C(service_id), C(state), C(lcm_state),
    C(addresses), C(nics), C(user_template), C(uname) and C(gname). What the cloud says is never taken for a template.
requirements:
  - pyone >= 6.8
notes:
  - The name of the file has to end in C(opennebula.yml) or C(opennebula.yaml).
  - In an inventory directory the file has to come after those that name the hosts of O(endpoints_from_group);
    C(hosts.yml) comes before C(opennebula.yml).
  - Which VM has which role is read from OneFlow, and not from what a VM says of itself.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [fact8ra.flower.opennebula]
  endpoints:
    description: Sites to ask. All values may be templates, such as a lookup for the password.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      endpoint:
        description: URL of the XML-RPC interface of OpenNebula.
        type: str
        required: true
      flow_endpoint:
        description: URL of the REST interface of OneFlow.
        type: str
        required: true
      username:
        description: OpenNebula user.
        type: str
        required: true
      password:
        description: Password or login token of the user.
        type: str
        required: true
      validate_certs:
        description: Whether to verify certificates.
        type: bool
        default: true
      ca_path:
        description: PEM file, or directory of PEM files named by hash, with the certificate authorities to trust.
        type: path
      connect_timeout:
        description: Most seconds for a connection.
        type: float
        default: 10.0
      read_timeout:
        description: Most seconds without a sign of life from the endpoint.
        type: float
        default: 60.0
  endpoints_from_group:
    description:
      - Group whose hosts are sites to ask. Their variables C(one_endpoint), C(one_flow_endpoint), C(one_username) and
        C(one_password) are used, and where they have them C(one_validate_certs), C(one_ca_path), C(one_connect_timeout)
        and C(one_read_timeout).
      - Variables of groups, those beside the inventory and those given with C(--extra-vars) count, and may be
        templates. Those beside a playbook do not.
    type: str
  services:
    description:
      - Services to take, as regular expressions for whole names. May be templates of the variables of a site in
        O(endpoints_from_group). All services when not given.
    type: list
    elements: str
    default: []
  role_groups:
    description: Group for the VMs of each role of the services.
    type: dict
    default:
      superlink: superlink
      supernode: supernodes
  hostname:
    description:
      - Template of a host's name, of C(site_name) and the prefixed variables. When two VMs get the same name, the later
        one has its id appended.
      - When not given, the name is C(SITE-ROLE-N), where C(N) is the number in the VM's own name.
    type: str
  network:
    description:
      - Network whose address becomes C(ansible_host), by its name in OpenNebula or in the service template.
      - When not given, it is the first address that fits.
    type: str
  address_family:
    description: Kind of address for C(ansible_host).
    type: str
    choices: [any, ipv4, ipv6]
    default: any
  only_running:
    description: Whether VMs are left out that are not C(ACTIVE) and C(RUNNING).
    type: bool
    default: true
  unreachable:
    description:
      - What to do when a site cannot be asked. V(warn) shows why and goes on with the other sites, V(ignore) shows it
        with C(-vv) only, V(fail) ends the run.
    type: str
    choices: [warn, fail, ignore]
    default: warn
  hostvars_prefix:
    description: Start of the names of the variables, so that they collide with no others.
    type: str
    default: one_vm_
"""

EXAMPLES = r"""
# The hosts of group "sites" are OpenNebula endpoints, their variables say how to reach them.
plugin: fact8ra.flower.opennebula
endpoints_from_group: sites
services:
  - "{{ federation_name }}-.*"
---
# One site, without other inventory files.
plugin: fact8ra.flower.opennebula
endpoints:
  - name: madrid
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ lookup('ansible.builtin.env', 'ONE_PASSWORD') }}"
services: [flower]
network: Private
unreachable: fail
keyed_groups:
  - key: one_vm_user_template.FACT8RA_FEDERATION
    prefix: federation
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory import (
    HOST_NAME,
    Choices,
    Host,
    Site,
    ask_all,
    hosts,
)

CONNECTION = {
    "endpoint": None,
    "flow_endpoint": None,
    "username": None,
    "password": None,
    "validate_certs": True,
    "ca_path": None,
    "connect_timeout": 10.0,
    "read_timeout": 60.0,
}
"""Connection options and their defaults."""
_REQUIRED = ("endpoint", "flow_endpoint", "username", "password")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The plugin; see DOCUMENTATION."""

    NAME = "fact8ra.flower.opennebula"
    inventory: Any
    _vars: Any

    def verify_file(self, path: str) -> bool:
        """Tell whether the file is meant for this plugin, by its name."""
        return bool(super().verify_file(path)) and path.endswith(("opennebula.yml", "opennebula.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory.

        Raises:
            AnsibleParserError: the file is wrong or, with unreachable=fail, a site cannot be asked.
        """
        super().parse(inventory, loader, path, cache=cache)
        self._read_config_data(path)
        try:
            sites = self._sites(path)
            answers = self._answers(sites, self.get_cache_key(path), cache)
            self._populate(sites, answers)
        except OpenNebulaError as error:
            raise AnsibleParserError(f"{path}: {error.message}") from None

    # sites

    def _sites(self, path: str) -> list[Site]:
        group_name = self.get_option("endpoints_from_group")
        endpoints = self.get_option("endpoints")
        if not endpoints and not group_name:
            raise InvalidInput("give endpoints or endpoints_from_group; without them there is nothing to ask.")
        sites = []
        for endpoint in endpoints:
            if not isinstance(endpoint, Mapping) or not endpoint.get("name"):
                raise InvalidInput(f"endpoints has an entry without a name; it needs name, {', '.join(_REQUIRED)}.")
            site = self._site_safely(str(endpoint["name"]), endpoint, self._vars)
            sites += [site] if site is not None else []
        for name in self._group_hosts(group_name) if group_name else []:
            variables = self._host_variables(name, path)
            raw = {key: variables[f"one_{key}"] for key in CONNECTION if f"one_{key}" in variables}
            site = self._site_safely(name, raw, variables)
            sites += [site] if site is not None else []
        repeated = sorted({site.name for site in sites if [one.name for one in sites].count(site.name) > 1})
        if repeated:
            raise InvalidInput(f"the name {', '.join(map(repr, repeated))} is given to more than one site.")
        return sites

    def _group_hosts(self, group_name: str) -> list[str]:
        group = self.inventory.groups.get(group_name)
        names = [host.name for host in group.get_hosts()] if group is not None else []
        if not names:
            raise InvalidInput(
                f"endpoints_from_group is {group_name!r}, which has no hosts. An inventory file that comes before this "
                "one has to name them."
            )
        return names

    def _host_variables(self, name: str, path: str) -> dict[str, Any]:
        """Return the variables of a host of the inventory as far as they are known while it is made."""
        host = self.inventory.get_host(name)
        # Until the inventory is complete, not all hosts have "all" among their groups.
        groups = sort_groups({*host.get_groups(), self.inventory.groups["all"]})
        sources = [*getattr(self.inventory, "processed_sources", []), path]
        variables = combine_vars(
            get_group_vars(groups), get_vars_from_inventory_sources(self.loader, sources, groups, "all")
        )
        variables = combine_vars(variables, host.get_vars())
        variables = combine_vars(variables, get_vars_from_inventory_sources(self.loader, sources, [host], "all"))
        variables["inventory_hostname"] = name
        return dict(combine_vars(variables, self._vars))

    def _site_safely(self, name: str, raw: Mapping[str, Any], variables: Mapping[str, Any]) -> Site | None:
        """Return the site with all its templates resolved; None when that fails and the user wants to go on."""
        try:
            return self._site(name, raw, variables)
        except OpenNebulaError as error:
            self._report(name, error.message)
        except AnsibleError as error:
            # A password file that is not there yet is a matter of that site, as an endpoint that does not answer.
            self._report(name, str(error))
        return None

    def _site(self, name: str, raw: Mapping[str, Any], variables: Mapping[str, Any]) -> Site:
        self.templar.available_variables = dict(variables)
        params: dict[str, Any] = dict(CONNECTION)
        params.update({key: self.templar.template(raw[key]) for key in CONNECTION if raw.get(key) not in (None, "")})
        missing = [key for key in _REQUIRED if params[key] is None]
        if missing:
            raise InvalidInput(
                f"{', '.join(missing)} is missing; for a host of endpoints_from_group it is the variable "
                f"one_{missing[0]}."
            )
        params["validate_certs"] = _boolean(params["validate_certs"])
        for key in ("connect_timeout", "read_timeout"):
            try:
                params[key] = float(params[key])
            except (TypeError, ValueError):
                raise InvalidInput(f"{key} is {params[key]!r}; it has to be a number of seconds.") from None
        services = self.templar.template(list(self.get_option("services")))
        return Site(name, params, tuple(str(pattern) for pattern in services))

    # answers

    def _answers(self, sites: list[Site], key: str, cache: bool) -> dict[str, dict[str, Any]]:
        """Return the answer of each site that has one, from the cache or fresh."""
        caching = bool(self.get_option("cache"))
        known: dict[str, Any] = {}
        if caching and cache:
            try:
                known = dict(self._cache[key])
            except KeyError:
                pass  # never filled, or too old
        answers = {
            site.name: known[site.name]
            for site in sites
            if site.name in known and known[site.name].get("fingerprint") == site.fingerprint
        }
        to_ask = [site for site in sites if site.name not in answers]
        for site, answer in zip(to_ask, ask_all(to_ask), strict=True):
            if isinstance(answer, OpenNebulaError):
                self._report(site.name, answer.message)
            else:
                answers[site.name] = answer
        if caching and to_ask:
            self._cache[key] = answers
        return answers

    def _report(self, site: str, text: str) -> None:
        message = f"Site {site!r} is left out of the inventory: {text}"
        unreachable = self.get_option("unreachable")
        if unreachable == "fail":
            raise AnsibleParserError(message)
        if unreachable == "warn":
            self.display.warning(message)
        else:
            self.display.vv(message)

    # hosts

    def _populate(self, sites: list[Site], answers: Mapping[str, Mapping[str, Any]]) -> None:
        choices = Choices(
            self.get_option("network") or None, self.get_option("address_family"), self.get_option("only_running")
        )
        role_groups = {role: self.inventory.add_group(group) for role, group in self.get_option("role_groups").items()}
        taken: set[str] = set()
        for site in sites:
            site_group = self.inventory.add_group(self._sanitize_group_name(f"site_{site.name}"))
            for host in hosts(site, answers.get(site.name, {"services": []}), choices):
                name = self._host_name(host, taken)
                taken.add(name)
                self.inventory.add_host(name, group=site_group)
                if host.role in role_groups:
                    self.inventory.add_child(role_groups[host.role], name)
                self._set_variables(name, host)

    def _variables(self, host: Host) -> dict[str, Any]:
        prefix = self.get_option("hostvars_prefix")
        # From the cloud, and in part from the VMs themselves: never to be taken for templates.
        return {"site_name": host.site, **{f"{prefix}{key}": wrap_var(value) for key, value in host.facts.items()}}

    def _host_name(self, host: Host, taken: set[str]) -> str:
        name = host.default_name
        template = self.get_option("hostname")
        if template:
            self.templar.available_variables = self._variables(host)
            name = str(self.templar.template(template))
            if not HOST_NAME.fullmatch(name):
                raise InvalidInput(
                    f"hostname makes {name!r} of VM {host.facts['id']} at site {host.site!r}; a host's name has "
                    "letters, digits, '_', '.' and '-' only."
                )
        if name in taken:
            longer = f"{name}-{host.facts['id']}"
            self.display.warning(
                f"Site {host.site!r}: the name {name!r} is taken, so VM {host.facts['id']} of service "
                f"{host.facts['service']!r} is called {longer!r}. Narrow services, or give a hostname template."
            )
            return longer
        return name

    def _set_variables(self, name: str, host: Host) -> None:
        variables = self._variables(host)
        if host.address is not None:
            variables["ansible_host"] = wrap_var(host.address)
        else:
            self.display.warning(
                f"Host {name!r} (VM {host.facts['id']}) has no address that fits network and address_family; it has no "
                "ansible_host."
            )
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def _boolean(value: Any) -> bool:
    """Return a templated boolean."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1", "y", "t"):
        return True
    if word in ("false", "no", "off", "0", "n", "f"):
        return False
    raise InvalidInput(f"validate_certs is {value!r}; it has to be true or false.")
