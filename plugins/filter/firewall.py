# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for the guest firewall of role firewall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.plugin_utils._firewall import (
    BadRule,
    admits,
    dialled,
    rules_of,
    statements,
)


def firewall_statements(
    rules: Iterable[object], kinds: Iterable[str], users: Mapping[str, int] | None
) -> dict[str, list[str]]:
    """Statements of nftables for a host.

    Args:
        rules: Rules as dicts.
        kinds: What the host is; rules for other kinds of hosts are left out.
        users: Numbers of the host's users by name, or none when they are not known.

    Returns:
        Chain to its statements, one line each.

    Raises:
        AnsibleFilterError: When a rule is wrong.
    """
    try:
        return statements(rules_of(rules, kinds), users)
    except BadRule as error:
        raise AnsibleFilterError(str(error)) from None


def firewall_problems(rules: Iterable[object], what: str) -> list[str]:
    """What is wrong with rules, a sentence each that names the variable.

    Args:
        rules: Rules as dicts.
        what: Name of the variable that holds them.

    Returns:
        Sentences; empty when every rule can become a statement.
    """
    problems = []
    for index, entry in enumerate(rules):
        try:
            rules_of([entry])
        except BadRule as error:
            problems.append(f"{what}[{index}]: {str(error).partition(': ')[2]}")
    return problems


def firewall_admits(rules: Iterable[object], source: str, port: int, kinds: Iterable[str]) -> bool:
    """Whether a host's rules let a TCP connection in.

    Args:
        rules: Rules as dicts.
        source: Address that the connection comes from.
        port: Port that it goes to.
        kinds: What the host is.

    Returns:
        Whether it is let in.

    Raises:
        AnsibleFilterError: When a rule is wrong.
    """
    try:
        return admits(rules_of(rules, kinds), source, int(port))
    except BadRule as error:
        raise AnsibleFilterError(str(error)) from None


def firewall_dialled(url: str, what: str) -> dict[str, Any]:
    """Where a URL leads, as part of a rule.

    Args:
        url: An http or https URL.
        what: Name of what holds it, for messages.

    Returns:
        C(destinations), V(any) for a name, and C(port).

    Raises:
        AnsibleFilterError: When it is no such URL.
    """
    try:
        return dialled(url, what)
    except BadRule as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names of the filters and the functions behind them."""
        return {
            "firewall_admits": firewall_admits,
            "firewall_dialled": firewall_dialled,
            "firewall_problems": firewall_problems,
            "firewall_statements": firewall_statements,
        }
