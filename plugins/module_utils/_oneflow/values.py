# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a service is given when it is instantiated: inputs, networks, cardinalities.

OneFlow takes defaults of a template only for networks, and only when no network at all is given; inputs need a value
each; a network without a usable value is accepted, and its VMs run without it. So the full set is made, and checked,
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.limits import check_cardinality
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import as_list


def input_values(declared: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return a value for each declared input: the given one, its default, or "" for an optional one.

    Args:
        declared: ``user_inputs`` of the template: name to ``M|type|description|options|default``, O for optional.
        given: the user's values.
        where: the template (and role) in messages.

    Raises:
        InvalidInput: a mandatory input without a value, a value outside of the options, an input that is not declared.
    """
    unknown = sorted(map(str, given.keys() - declared.keys()))
    if unknown:
        raise InvalidInput(
            f"{where} has no input {', '.join(map(repr, unknown))}; it has {_names(declared)}.",
            details={"option": "user_inputs", "unknown": unknown},
        )
    values: dict[str, str] = {}
    missing: list[str] = []
    for name, text in declared.items():
        mandatory, kind, choices, default = _declaration(text)
        value = scalar(given[name]) if given.get(name) is not None else default
        if value == "" and mandatory:
            missing.append(str(name))
        if kind == "list" and choices and value and value not in choices:
            raise InvalidInput(
                f"{where}: input {name!r} is {value!r}; it has to be one of {', '.join(map(repr, choices))}.",
                details={"option": "user_inputs", "input": str(name)},
            )
        values[str(name)] = value
    if missing:
        raise InvalidInput(
            f"{where} asks for a value for {', '.join(map(repr, missing))}, which has no default; "
            "give it in user_inputs.",
            details={"option": "user_inputs", "missing": missing},
        )
    return values


def _declaration(text: Any) -> tuple[bool, str, list[str], str]:
    """Return (mandatory, type, options, default) of an input or network in OneFlow's form."""
    parts = [part.strip() for part in str(text).split("|", 4)]
    parts += [""] * (5 - len(parts))
    return parts[0].upper() == "M", parts[1], [one for one in parts[3].split(",") if one], parts[4]


def network_values(
    declared: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    network_id: Callable[[str, str], int | str],
    where: str,
) -> list[dict[str, dict[str, Any]]]:
    """Return ``networks_values``: a list of one-key dicts in the template's order, with every declared network.

    Args:
        declared: ``networks`` of the template.
        given: entries of the option ``networks``.
        network_id: makes the id of a network's name (and the option's name for messages).
        where: the template in messages.

    Raises:
        InvalidInput: a declared network without a value, one that is not declared, one given twice.
    """
    options = _by_name(given, declared, where)
    values: list[dict[str, dict[str, Any]]] = []
    missing: list[str] = []
    for name, text in declared.items():
        option = options.get(str(name))
        value = _default_network(str(name), text, where) if option is None else network_value(option, network_id)
        if value is None:
            missing.append(str(name))
        else:
            values.append({str(name): value})
    if missing:
        raise InvalidInput(
            f"{where} declares the network {', '.join(map(repr, missing))}, for which networks gives nothing and which "
            "has no default. OneFlow would accept that and the VMs would start without it. Give it with network, "
            "network_id, template_id or reserve_from.",
            details={"option": "networks", "missing": missing},
        )
    return values


def _by_name(
    given: Sequence[Mapping[str, Any]], declared: Mapping[str, Any], where: str
) -> dict[str, Mapping[str, Any]]:
    options: dict[str, Mapping[str, Any]] = {}
    for option in given:
        name = str(option["name"])
        if name not in declared:
            raise InvalidInput(
                f"networks: {where} declares no network {name!r}; it declares {_names(declared)}.",
                details={"option": "networks", "network": name},
            )
        if name in options:
            raise InvalidInput(
                f"networks: {name!r} is given more than once.", details={"option": "networks", "network": name}
            )
        options[name] = option
    return options


def network_value(option: Mapping[str, Any], network_id: Callable[[str, str], int | str]) -> dict[str, Any]:
    """Return what OneFlow takes for one entry of the option ``networks``.

    Raises:
        InvalidInput: a reservation without a size, or a size without a reservation.
        NotFound, Ambiguous: from ``network_id``.
    """
    name, size, extra = option["name"], option.get("size"), option.get("extra")
    lines = [f"SIZE={size}"] if size is not None else []
    lines += [str(extra).strip()] if extra else []
    if option.get("reserve_from") is not None:
        if "SIZE" not in "\n".join(lines).upper():
            raise InvalidInput(
                f"networks: {name!r} reserves addresses from {option['reserve_from']!r}, but does not say how many; "
                "give size.",
                details={"option": "networks", "network": name},
            )
        return {
            "reserve_from": network_id(str(option["reserve_from"]), "networks.reserve_from"),
            "extra": "\n".join(lines),
        }
    if size is not None:
        raise InvalidInput(
            f"networks: {name!r} has a size, which belongs to reserve_from only.",
            details={"option": "networks", "network": name},
        )
    if option.get("template_id") is not None:
        return {"template_id": int(option["template_id"]), **({"extra": "\n".join(lines)} if lines else {})}
    if option.get("network_id") is not None:
        return {"id": int(option["network_id"])}
    return {"id": network_id(str(option["network"]), "networks.network")}


def _default_network(name: str, text: Any, where: str) -> dict[str, Any] | None:
    """Return the template's default for a network; None for none, as in ``M|network|x| |id:``."""
    key, _colon, value = _declaration(text)[3].partition(":")
    if not value.strip():
        return None
    if key == "reserve_from":
        # OneFlow keeps only the id of this default; the reservation fails and leaves a dead service behind.
        raise InvalidInput(
            f"{where}: the default of network {name!r} reserves from network {value} without a size, which OneFlow "
            "cannot do; give the network in networks, with reserve_from and size.",
            details={"option": "networks", "network": name},
        )
    return {key.strip(): int(value) if value.strip().isdigit() else value.strip()}


def role_values(
    roles: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], where: str
) -> list[dict[str, Any]]:
    """Return the ``roles`` of a merge template: every role in the template's order, with what was given for it.

    Every one, because OpenNebula 6 merges by position; with its name, because 7 merges by name.

    Args:
        roles: roles of the template, in the 7.x form.
        given: entries of the option ``roles``.
        where: the template in messages.

    Raises:
        InvalidInput: a role that there is not, a cardinality out of its limits, an input as in :func:`input_values`.
    """
    options = given_roles(roles, given, where)
    values: list[dict[str, Any]] = []
    for role in roles:
        option = options.get(str(role["name"]), {})
        value: dict[str, Any] = {"name": role["name"]}
        if option.get("cardinality") is not None:
            check_cardinality(role, option["cardinality"], where)
            value["cardinality"] = option["cardinality"]
        declared = role.get("user_inputs") or {}
        if declared or option.get("user_inputs"):
            value["user_inputs_values"] = input_values(
                declared, option.get("user_inputs") or {}, f"{where}, role {role['name']!r},"
            )
        values.append(value)
    return values


def given_roles(
    roles: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], where: str
) -> dict[str, Mapping[str, Any]]:
    """Return the entries of the option ``roles`` by name; raises InvalidInput for an unknown or repeated one."""
    known = [str(role["name"]) for role in roles]
    options: dict[str, Mapping[str, Any]] = {}
    for option in given:
        name = str(option["name"])
        if name not in known:
            raise InvalidInput(
                f"roles: {where} has no role {name!r}; it has {_names(known)}. A new one needs a template.",
                details={"option": "roles", "role": name},
            )
        if name in options:
            raise InvalidInput(f"roles: {name!r} is given more than once.", details={"option": "roles", "role": name})
        options[name] = option
    return options


def drift(body: Mapping[str, Any], params: Mapping[str, Any], network_id: Callable[[str, str], int | str]) -> list[str]:
    """Return a sentence for each given network and input that a living service has otherwise; it cannot be changed.

    Values of inputs are not shown, as they may be secret.
    """
    sentences: list[str] = []
    networks = networks_of(body)
    for option in params.get("networks") or []:
        name = str(option["name"])
        have = networks.get(name)
        if have is None:
            sentences.append(f"it has no network {name!r}")
            continue
        wanted = network_value(option, network_id)
        key = next(key for key in ("id", "template_id", "reserve_from") if key in wanted)
        if str(have.get(key)) != str(wanted[key]):
            sentences.append(f"network {name!r} has {key} {have.get(key)}, not {wanted[key]}")
    values = body.get("user_inputs_values") or {}
    for name, value in (params.get("user_inputs") or {}).items():
        if value is not None and scalar(values.get(name)) != scalar(value):
            sentences.append(f"input {name!r} has another value")
    return sentences


def networks_of(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``networks_values`` of a service by name: ``{"Private": {"id": 1}}``."""
    return {
        str(name): dict(value)
        for entry in as_list(body.get("networks_values"))
        if isinstance(entry, Mapping)
        for name, value in entry.items()
        if isinstance(value, Mapping)
    }


def _names(names: Any) -> str:
    return ", ".join(map(repr, map(str, names))) or "none"
