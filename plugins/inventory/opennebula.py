# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs of OpenNebula as hosts; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: opennebula
short_description: VMs of OpenNebula as hosts
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Makes hosts of the VMs at one or many OpenNebula sites, either those of OneFlow services or all, and groups them.
  - Asks all sites at the same time, each with one call of OneFlow and one of OpenNebula, however many VMs there are.
    With O(vms=all) OneFlow is asked only where a site has a C(flow_endpoint). Names of clusters are one call more, made
    only where O(group_by) or O(clusters) needs them.
  - The groups of O(role_groups) and one C(site_NAME) a site are there even when they are empty.
  - Each host has the variables C(site_name), C(one_pci), C(ansible_host) where the VM has an address, and, with
    O(hostvars_prefix) before their names, C(id), C(name), C(ordinal), C(role), C(service), C(service_id), C(state),
    C(lcm_state), C(host), C(cluster_id), C(labels), C(addresses), C(nics), C(user_template), C(uname) and C(gname), and
    C(cluster) where the names of clusters are known. What the cloud says is never taken for a template.
  - C(one_pci) is a list of the PCI devices of the VM, each with C(vendor), C(device), C(class), C(address) on the
    host, C(vm_address) in the VM, C(numa_node) and C(profile), as OpenNebula writes them. C(profile) is empty for a
    whole device, and that of a virtual GPU otherwise. The list is empty for a VM without any. It is there since 1.1.0.
requirements:
  - pyone >= 6.8
notes:
  - The name of the file has to end in C(opennebula.yml) or C(opennebula.yaml).
  - In an inventory directory the file has to come after those that name the hosts of O(endpoints_from_group);
    C(hosts.yml) comes before C(opennebula.yml).
  - Which VM has which role and service is read from OneFlow, and not from what a VM says of itself. Labels and the user
    template can be written by the owner of a VM, and by the VM itself where OneGate lets it; do not give secrets to
    groups that are made of them.
  - The server picks VMs by O(filter), O(search) and, where all O(states) belong to one state of VMs, by that. All other
    choices are made of its answer, and so do not need a new one when there is a cache.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
  - fact8ra.flower._inventory.vms
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [fact8ra.flower.opennebula]
  endpoints:
    description:
      - Sites to ask. All values may be templates, such as a lookup for the password.
      - What an entry does not give is taken from the environment, as by the modules of this collection. The URLs are
        taken from there only when there is no other site.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      endpoint:
        description: URL of the XML-RPC interface of OpenNebula, or E(ONE_URL), E(ONE_XMLRPC), E(OPENNEBULA_ENDPOINT).
        type: str
      flow_endpoint:
        description:
          - URL of the REST interface of OneFlow, or E(ONEFLOW_URL), E(OPENNEBULA_FLOW_ENDPOINT).
          - Not needed with O(vms=all); without it no VM has a role or a service.
        type: str
      username:
        description: OpenNebula user, or E(ONE_USERNAME), E(OPENNEBULA_USERNAME), or the one in a file of credentials.
        type: str
      password:
        description: Password or login token of the user, or E(ONE_PASSWORD), E(OPENNEBULA_PASSWORD), or as the user.
        type: str
      auth_file:
        description: File with one line C(USER:PASSWORD), or E(ONE_AUTH), or C(~/.one/one_auth) where that exists.
        type: path
        version_added: 1.1.0
      validate_certs:
        description: Whether to verify certificates; true unless E(OPENNEBULA_INSECURE) is.
        type: bool
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
        C(one_password) are used, and where they have them C(one_auth_file), C(one_validate_certs), C(one_ca_path),
        C(one_connect_timeout) and C(one_read_timeout). The environment is not.
      - Variables of groups, those beside the inventory and those given with C(--extra-vars) count, and may be
        templates. Those beside a playbook do not.
    type: str
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
---
# All VMs that run or are off at the site that ONE_URL and ONE_AUTH name, without OneFlow.
plugin: fact8ra.flower.opennebula
vms: all
endpoints:
  - name: madrid
states: [running, poweroff]
labels: [production]
nic: 0
group_by: [label, cluster, state]
compose:
  ansible_port: one_vm_user_template.SSH_PORT | default(22)
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.fact8ra.flower.plugins.module_utils._connection import OPTIONS
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.asking import ask_all
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.hosts import HOST_NAME, Choices, Host, hosts
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.sites import (
    Query,
    Site,
    environment,
    params_of,
    states_of,
)
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.variables import group_hosts, host_variables

_RESERVED = ("localhost", "127.0.0.1", "::1")
"""Names that stand for the controller, so that no VM may take them."""
_NAMED = 5
"""How many hosts a warning names."""


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
            choices, query = self._choices()
            sites = self._sites(path, query)
            answers = self._answers(sites, self.get_cache_key(path), cache)
            self._populate(sites, answers, choices)
        except OpenNebulaError as error:
            raise AnsibleParserError(f"{path}: {error.message}") from None

    def _choices(self) -> tuple[Choices, Query]:
        """Return what is picked of an answer and what is asked for; raises InvalidInput."""
        option = self.get_option
        every = option("vms") == "all"
        if every and option("services"):
            raise InvalidInput("services is for vms=services; with vms=all every VM is taken, whatever its service.")
        states = states_of(option("states"), option("only_running"))
        choices = Choices(
            option("network") or None,
            option("nic"),
            option("address_family"),
            states,
            {label.strip().strip("/") for label in option("labels")},
            set(option("clusters")),
            set(option("hosts")),
        )
        named = "cluster" in option("group_by") or not all(name.isdigit() for name in choices.clusters)
        return choices, Query(every, option("filter"), states, option("search") or "", named)

    # sites

    def _sites(self, path: str, query: Query) -> list[Site]:
        group_name = self.get_option("endpoints_from_group")
        endpoints = self.get_option("endpoints")
        if not endpoints and not group_name:
            raise InvalidInput("give endpoints or endpoints_from_group; without them there is nothing to ask.")
        names = group_hosts(self.inventory, group_name) if group_name else []
        environ = environment(sole=len(endpoints) + len(names) == 1)
        sites = []
        for endpoint in endpoints:
            if not isinstance(endpoint, Mapping) or not endpoint.get("name"):
                raise InvalidInput("endpoints has an entry without a name; name is the one thing that each needs.")
            sites += self._site_safely(str(endpoint["name"]), endpoint, self._vars, environ, query)
        for name in names:
            variables = host_variables(self.inventory, self.loader, name, path, self._vars)
            raw = {key: variables[f"one_{key}"] for key in OPTIONS if f"one_{key}" in variables}
            sites += self._site_safely(name, raw, variables, None, query)
        repeated = sorted({site.name for site in sites if [one.name for one in sites].count(site.name) > 1})
        if repeated:
            raise InvalidInput(f"the name {', '.join(map(repr, repeated))} is given to more than one site.")
        return sites

    def _site_safely(
        self,
        name: str,
        raw: Mapping[str, Any],
        variables: Mapping[str, Any],
        environ: Mapping[str, str] | None,
        query: Query,
    ) -> list[Site]:
        """Return the site with all its templates resolved; none when that fails and the user wants to go on."""
        try:
            self.templar.available_variables = dict(variables)
            given = {key: self.templar.template(raw[key]) for key in OPTIONS if raw.get(key) not in (None, "")}
            params = params_of(given, environ, flow=not query.every_vm)
            services = self.templar.template(list(self.get_option("services")))
            return [Site(name, params, tuple(str(pattern) for pattern in services), query)]
        except OpenNebulaError as error:
            self._report(name, error.message)
        except AnsibleError as error:
            # A password file that is not there yet is a matter of that site, as an endpoint that does not answer.
            self._report(name, str(error))
        return []

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
        answers, to_ask = {}, []
        for site in sites:
            if known.get(site.name, {}).get("fingerprint") == site.fingerprint:
                answers[site.name] = known[site.name]
            else:
                to_ask.append(site)
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

    def _populate(self, sites: list[Site], answers: Mapping[str, Mapping[str, Any]], choices: Choices) -> None:
        role_groups = {role: self.inventory.add_group(group) for role, group in self.get_option("role_groups").items()}
        kinds = self.get_option("group_by")
        # A VM that took the name of a site would be given what that has, such as its password.
        group = self.inventory.groups.get(self.get_option("endpoints_from_group"))
        taken = {*_RESERVED, *(host.name for host in (group.get_hosts() if group else []))}
        made: dict[tuple[str, ...], str] = {}
        for site in sites:
            site_group = self.inventory.add_group(self._sanitize_group_name(f"site_{site.name}"))
            nowhere = []
            for host in hosts(site, answers[site.name], choices) if site.name in answers else ():
                variables = self._variables(host)
                name = self._host_name(host, variables, taken)
                taken.add(name)
                self.inventory.add_host(name, group=site_group)
                if host.facts["role"] in role_groups:
                    self.inventory.add_child(role_groups[host.facts["role"]], name)
                for path in host.groups(kinds):
                    self.inventory.add_child(self._group(path, made), name)
                if host.address is None:
                    nowhere.append(name)
                self._set_variables(name, variables)
            self._warn_of(site, nowhere)

    def _group(self, path: tuple[str, ...], made: dict[tuple[str, ...], str]) -> str:
        """Return the name of a group below others, which are made where they are not there yet."""
        if path not in made:
            made[path] = self.inventory.add_group(to_safe_group_name(path[-1], force=True, silent=True))
            if len(path) > 1:
                self.inventory.add_child(self._group(path[:-1], made), made[path])
        return made[path]

    def _variables(self, host: Host) -> dict[str, Any]:
        prefix = self.get_option("hostvars_prefix")
        # From the cloud, and in part from the VMs themselves: Ansible takes for a template only what is marked as such.
        facts = dict(host.facts)
        # an answer that an older release put into the cache has none
        variables = {"site_name": host.site, "one_pci": facts.pop("pci", [])}
        variables |= {f"{prefix}{key}": value for key, value in facts.items()}
        if host.address is not None:
            variables["ansible_host"] = host.address
        return variables

    def _host_name(self, host: Host, variables: dict[str, Any], taken: set[str]) -> str:
        name = host.default_name
        template = self.get_option("hostname")
        number = host.facts["id"]
        if template:
            self.templar.available_variables = variables
            name = str(self.templar.template(template))
            if not HOST_NAME.fullmatch(name):
                raise InvalidInput(
                    f"hostname makes {name!r} of VM {number} at site {host.site!r}; a host's name has letters, digits, "
                    "'_', '.' and '-' only."
                )
        longer = name
        # A VM with the name of a group would be meant wherever that is.
        while longer in taken or longer in self.inventory.groups:
            longer = f"{longer}-{number}"
        if longer != name:
            self.display.warning(
                f"Site {host.site!r}: the name {name!r} is taken, so VM {number} is called {longer!r}. Narrow the "
                "choice of VMs, or give a hostname template."
            )
        return longer

    def _warn_of(self, site: Site, nowhere: list[str]) -> None:
        if nowhere:
            more = f" and {len(nowhere) - _NAMED} more" if len(nowhere) > _NAMED else ""
            self.display.warning(
                f"Site {site.name!r}: no address that fits network, nic and address_family for "
                f"{', '.join(nowhere[:_NAMED])}{more}; ansible_host is not set."
            )

    def _set_variables(self, name: str, variables: dict[str, Any]) -> None:
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
