# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the steps of a sequence find: a silent server, one with a foreign certificate, and the prepared objects."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment
from opennebula_site import Site
from sequence import Sequence
from servers import self_signed, silent_socket

from fact8ra_lab.standin.testing import StandIn

Variables = dict[str, Any]
_TEMPLATES = NativeEnvironment(undefined=StrictUndefined)


def module_named(name: str) -> ModuleType:
    """The module of that name."""
    return importlib.import_module(f"ansible_collections.fact8ra.flower.plugins.modules.{name}")


@contextlib.contextmanager
def places(directory: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Connection options of a silent server, and of a stand-in whose certificate another CA has signed."""
    certificate = self_signed(directory)
    other = self_signed(directory, "127.0.0.2")
    tls = (str(certificate.cert), str(certificate.key))
    with silent_socket() as address, StandIn(tls=tls) as distrusted:
        yield {
            "silent": {"endpoint": f"http://{address}/RPC2", "flow_endpoint": f"http://{address}"},
            "tls": {
                "endpoint": distrusted.endpoint,
                "flow_endpoint": distrusted.flow_endpoint,
                "ca_path": str(other.cert),
            },
        }


def rendered(value: Any, variables: Variables) -> Any:
    """A value with the templates in it rendered, as Ansible would."""
    if isinstance(value, str):
        return _TEMPLATES.from_string(value).render(variables) if "{{" in value else value
    if isinstance(value, dict):
        return {key: rendered(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(item, variables) for item in value]
    return value


def holds(condition: str, variables: Variables) -> bool:
    """Whether a condition in Jinja is true; as in Ansible, it has to be true or false."""
    value = _TEMPLATES.compile_expression(condition, undefined_to_none=False)(**variables)
    assert isinstance(value, bool), f"{condition} is {value!r}, neither true nor false"
    return value


def prepared(sequence: Sequence, standin: StandIn, where: dict[str, dict[str, str]]) -> Variables:
    """Make what a sequence starts from and return the variables of its steps."""
    user = ElementTree.fromstring(standin.one("one.user.info", -1, user=standin.tenant))
    variables: Variables = {"places": where, "tenant_id": int(user.findtext("ID") or 0), "prepared": []}
    for module, options, admin in sequence.prepare:
        site = Site(standin, standin.admin if admin else standin.tenant)
        variables["prepared"].append(site.run(module_named(module), **rendered(options, variables)))
    return variables
