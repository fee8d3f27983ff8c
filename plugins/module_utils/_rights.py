# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which access rules let a tenant do what a federation needs, and which let others at its networks.

Private to the collection: it may change without notice.

Rules are read in their text form, which one.acl.info gives to every user: "<user> <kinds>/<which> <rights> <zone>".
What a right on one object is, its own permissions decide as well; only rights that no object has are judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Rights:
    """A user's id, the ids of its groups, and the rules of the cloud."""

    uid: int
    gids: frozenset[int]
    acls: tuple[str, ...]

    def may(self, right: str, kind: str) -> bool:
        """Whether a rule gives a right ("CREATE", "MANAGE") on objects of a kind ("VM", "HOST"): all, or some of them.

        New objects are in no cluster and have no id, so that CREATE takes a rule for all of them.
        """
        if self.uid == 0 or 0 in self.gids:
            return True
        who = {"*", f"#{self.uid}", *(f"@{gid}" for gid in self.gids)}
        return any(
            user in who and kind in kinds and right in rights and (right != "CREATE" or which == "*")
            for user, kinds, which, rights in self.rules()
        )

    def rules(self) -> Iterator[tuple[str, list[str], str, list[str]]]:
        """Yield (user, kinds, which, rights) of each rule."""
        for rule in self.acls:
            user, objects, rights = rule.split()[:3]
            kinds, _separator, which = objects.partition("/")
            yield user, kinds.split("+"), which, rights.split("+")

    def users_of_networks(self) -> list[str]:
        """Return who else may use every network, a new one of this user's too; reservations are exempt."""
        own = {f"#{self.uid}", *(f"@{gid}" for gid in self.gids)}
        given = self.rules()
        return sorted(
            {user for user, kinds, which, rights in given if which == "*" and "NET" in kinds and "USE" in rights} - own
        )


def lacking(rights: Rights, user: str, managed: bool) -> list[str]:
    """Return a sentence for each kind of right that a federation needs and the user lacks.

    Args:
        rights: of the user.
        user: name of the user.
        managed: whether the federation makes its own network.
    """
    kinds = {"VM": "VMs", "TEMPLATE": "VM templates", "DOCUMENT": "services", "SECGROUP": "security groups"}
    if managed:
        kinds["NET"] = "virtual networks"
    found = []
    missing = [text for kind, text in kinds.items() if not rights.may("CREATE", kind)]
    if missing:
        advice = "; set site_network_mode to existing or reservation" if missing == ["virtual networks"] else ""
        found.append(f"user {user} may not create {' and '.join(missing)}{advice}")
    if managed and rights.may("CREATE", "NET") and not rights.may("ADMIN", "CLUSTER"):
        found.append(
            f"user {user} may create virtual networks, but has the right ADMIN on no cluster to put one in; set "
            "site_network_mode to existing or reservation"
        )
    # The scheduler asks for these on behalf of the VM's owner.
    for right, kind, text in (("MANAGE", "HOST", "host"), ("USE", "DATASTORE", "system datastore")):
        if not rights.may(right, kind):
            found.append(f"user {user} has the right {right} on no {text}, so that its VMs would stay PENDING")
    return found
