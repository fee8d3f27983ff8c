# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told in the report, read from run.json, criteria.json and the certificates, for both forms of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARKS = {True: "passed", False: "failed", None: "not tried"}


class ReportError(ValueError):
    """Input that cannot be reported on; the text names what is wrong."""


@dataclass(frozen=True)
class Certificate:
    """A certificate's subject, the last day of its validity, and the days left when the run ended."""

    what: str
    subject: str
    until: str
    days: int | None


@dataclass(frozen=True)
class Report:
    """Everything that the report tells.

    `data` is the filter's input; `rounds` are the FLWR_RESULT objects of run.json by number; `nodes` are the names of
    the SuperNodes, those of the inventory first, then others that took part.
    """

    data: Mapping[str, Any]
    run: Mapping[str, Any]
    rounds: Sequence[Mapping[str, Any]]
    criteria: Sequence[Mapping[str, Any]]
    timings: Mapping[str, Any]
    nodes: Sequence[str]
    certificates: Sequence[Certificate]

    @property
    def last(self) -> Mapping[str, Any]:
        """The last round, or an empty one."""
        return self.rounds[-1] if self.rounds else {}

    @property
    def verdict(self) -> tuple[bool | None, str]:
        """Whether all is well, and in words; None without criteria."""
        if not self.criteria:
            good = self.run.get("status") == "finished:completed" and not self.run.get("failures")
            return good, "run completed" if good else f"run {self.run.get('status', 'unknown')}"
        tried = [each for each in self.criteria if each.get("passed") is not None]
        met = sum(1 for each in tried if each["passed"])
        return met == len(tried), f"{met} of {len(tried)} criteria met"


def report(data: Mapping[str, Any]) -> Report:
    """Sort the input of the filters.

    Raises ReportError naming the key that is missing or is not what it should be.
    """
    for key, kind in (("run", Mapping), ("sites", Sequence), ("superlink", Mapping)):
        if not isinstance(data.get(key), kind):
            raise ReportError(f"the report needs {key}; it is {data.get(key)!r}")
    run = data["run"]
    rounds = sorted(
        (row for row in run.get("rounds") or [] if isinstance(row.get("round"), int)), key=lambda row: row["round"]
    )
    judged = data.get("criteria") or {}
    names = [str(node["name"]) for site in data["sites"] for node in site.get("nodes") or []]
    for row in rounds:
        names += [str(name) for name in row.get("participants") or [] if str(name) not in names]
    return Report(
        data=data,
        run=run,
        rounds=rounds,
        criteria=judged.get("criteria") or [],
        timings=judged.get("timings") or {},
        nodes=names,
        certificates=[
            certificate(each["what"], each["pem"], run.get("finished")) for each in data.get("certificates") or []
        ],
    )


def certificate(what: str, pem: str, now: object) -> Certificate:
    """Read the first certificate of a PEM text; raises ReportError if there is none."""
    # Imported late: without certificates the report needs nothing but the standard library.
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError as error:
        raise ReportError(f"the certificate of {what} cannot be read: {error}") from error
    until = found.not_valid_after_utc
    moment = instant(now)
    days = (until - moment).days if moment else None
    return Certificate(what, found.subject.rfc4514_string(), f"{until:%Y-%m-%d}", days)


def instant(value: object) -> datetime.datetime | None:
    """Read a time as Flower writes it (ISO 8601); None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def moment_words(value: object) -> str:
    """Return a time for people, in UTC and to the minute."""
    found = instant(value)
    return f"{found.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC" if found else "time not known"


def figure(value: object, form: str, otherwise: str = "\u2013") -> str:
    """Format a number; anything else is a dash."""
    return format(value, form) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def size(value: object) -> str:
    """Return a number of bytes for people."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "\u2013"
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
