# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites that an inventory file names, and what each is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fact8ra.flower.plugins.module_utils._connection import ENVIRONMENT, LIMITS, resolved
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import LcmState, VmState
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import POOL_FILTERS

_NOT_DONE = -1
_EVERY_STATE = -2


@dataclass(frozen=True)
class Query:
    """What every site is asked for; what the server cannot filter by is left to C(hosts.Choices).

    Attributes:
        every_vm: all VMs, and not only those of services.
        who: "all", "mine" or "group", see C(POOL_FILTERS).
        states: names of the states that are wanted, of VMs or of their life cycle; empty for all but DONE.
        search: query for the server, in its own language; "" for none.
        cluster_names: whether the names of the clusters are needed, for which there is a call of its own.
    """

    every_vm: bool = False
    who: str = "all"
    states: tuple[str, ...] = ()
    search: str = ""
    cluster_names: bool = False

    @property
    def pool(self) -> tuple[int, int]:
        """The filter flag and the one state that C(one.vmpool.infoextended) takes.

        -1 stands for all states but DONE, -2 for all (src/rm/api/VirtualMachinePoolAPI.cc of 7.4).
        """
        wanted = {name if name in VmState.__members__ else "ACTIVE" for name in self.states}
        if len(wanted) == 1:
            state = int(VmState[wanted.pop()])
        else:
            state = _EVERY_STATE if "DONE" in wanted else _NOT_DONE
        return POOL_FILTERS[self.who], state


@dataclass(frozen=True)
class Site:
    """An endpoint with its name and what is wanted of it.

    Attributes:
        name: of the site; becomes C(site_name) and the group C(site_NAME).
        params: all connection options; C(flow_endpoint) may be None when all VMs are wanted.
        services: regular expressions, each for a whole name; empty for all services.
        query: what is asked for.
    """

    name: str
    params: Mapping[str, Any] = field(repr=False)
    services: tuple[str, ...] = ()
    query: Query = field(default_factory=Query)

    @property
    def fingerprint(self) -> str:
        """What a cached answer was asked with; never the password."""
        asked = [self.params.get(key) for key in ("endpoint", "flow_endpoint", "username")]
        query = self.query
        return repr([*map(str, asked), query.every_vm, query.pool, query.search, query.cluster_names, *self.services])


def states_of(given: Iterable[Any] | None, only_running: bool) -> tuple[str, ...]:
    """Return the states that the options C(states) and C(only_running) mean.

    Raises:
        InvalidInput: there is no such state.
    """
    names = tuple(str(name).strip().upper() for name in given or ())
    for name in names:
        if name not in VmState.__members__ and name not in LcmState.__members__:
            raise InvalidInput(
                f"states has {name!r}, which is no state of a VM, such as {', '.join(list(VmState.__members__)[1:7])}, "
                f"nor one of its life cycle, such as {', '.join(list(LcmState.__members__)[1:4])}."
            )
    return names or (("RUNNING",) if only_running else ())


def params_of(given: Mapping[str, Any], environ: Mapping[str, str] | None, *, flow: bool) -> dict[str, Any]:
    """Return all connection options of a site, with what is not given filled in from the environment.

    Args:
        given: options whose templates are resolved; None and "" are the same as missing.
        environ: the variables that may stand in for options; None for a host of C(endpoints_from_group), whose
            variables have to say all.
        flow: whether the site has to have a flow_endpoint.

    Raises:
        InvalidInput: an option is missing or of no use.
    """
    present = {key: value for key, value in given.items() if value not in (None, "")}
    if "validate_certs" in present:
        try:
            present["validate_certs"] = boolean(present["validate_certs"])
        except TypeError:
            raise InvalidInput(
                f"validate_certs is {present['validate_certs']!r}; it has to be true or false."
            ) from None
    for key in (one for one in LIMITS if one in present):
        try:
            present[key] = float(present[key])
        except (TypeError, ValueError):
            raise InvalidInput(f"{key} is {present[key]!r}; it has to be a number of seconds.") from None
    needed = ["endpoint", *(["flow_endpoint"] if flow else [])]
    if environ is None:
        own = [*needed, *(["username", "password"] if "auth_file" not in present else [])]
        missing = [key for key in own if key not in present]
        if missing:
            raise InvalidInput(f"{', '.join(missing)} is missing; it is the variable one_{missing[0]} of that host.")
    params = resolved(present, environ or {})
    missing = [key for key in needed if not params[key]]
    if missing:
        raise InvalidInput(
            f"{', '.join(missing)} is missing; give it, or set {ENVIRONMENT[missing[0]][0]} where it is the only site."
        )
    return params


def environment(*, sole: bool) -> dict[str, str]:
    """Return the environment as far as it may stand in for options of a site that an entry of C(endpoints) describes.

    Args:
        sole: there is one site only. With several, one URL cannot be that of each.
    """
    urls = {variable for option in ("endpoint", "flow_endpoint") for variable in ENVIRONMENT[option]}
    return {name: value for name, value in os.environ.items() if sole or name not in urls}
