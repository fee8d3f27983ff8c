# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""When what was seen becomes what is said: the memory of the watch, without any look at the machine.

A state is said when it was seen twice in a row, so that one lost packet tells nobody anything, and what comes and goes
is not said at all. The boot step is played again with pauses that grow, so that a cause that it cannot mend costs
little.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

#: Below the root; gone with the next boot, which says its own state.
MEMORY: Final = "run/fact8ra/watch.json"
#: Looks in a row that have to agree.
AGREE: Final = 2
#: Seconds between two plays of the boot step for the same cause: a quarter of an hour, an hour, then once a day.
PAUSES: Final = (0.0, 900.0, 3600.0, 86400.0)
#: States in which there is nothing to do.
FINE: Final = frozenset({"READY", "ONLINE"})


@dataclass(frozen=True)
class Seen:
    """What one look found.

    Attributes:
        state: name of a report.State; empty when nothing can be told.
        message: for people; the same as long as they have the same to do.
        mend: why the boot step is to be played again, a word such as `moved HOST:PORT`; empty for no reason.
        patient: looks that have to agree before it is played.
    """

    state: str
    message: str
    mend: str = ""
    patient: int = AGREE


@dataclass(frozen=True)
class Memory:
    """What is known from the looks before.

    Attributes:
        said: the state that was said last, and its message, be it by the boot or by the watch.
        mine: whether it was the watch.
        fine: what the boot said when all was fine.
        seen: state and message that were seen last, and how often in a row.
        mend: reason that was seen last, and how often in a row.
        mended: reason -> how often the boot step was played for it, and when last, in seconds since the boot.
        owed: whether OneGate has still to be told what was said.
        address: address that the SuperLink had when all was fine.
    """

    said: tuple[str, str] = ("", "")
    mine: bool = False
    fine: str = ""
    seen: tuple[str, str, int] = ("", "", 0)
    mend: tuple[str, int] = ("", 0)
    mended: dict[str, tuple[int, float]] = field(default_factory=dict)
    owed: bool = False
    address: str = ""

    def after(self, state: str, message: str) -> Memory:
        """The memory beside what stands in /run: what the boot said since begins anew."""
        if (state, message) == self.said:
            return self
        fine = message if state in FINE else self.fine
        return replace(self, said=(state, message), mine=False, fine=fine, seen=("", "", 0), mend=("", 0), address="")


@dataclass(frozen=True)
class Decision:
    """What is to be done: say what was seen, or play the boot step again, for a reason."""

    say: bool = False
    play: str = ""


def decide(memory: Memory, seen: Seen, now: float) -> tuple[Memory, Decision]:
    """Take a look into account.

    Args:
        memory: from the looks before.
        seen: what this one found.
        now: seconds since the boot.
    """
    count = memory.seen[2] + 1 if memory.seen[0] == seen.state else 1
    reason = memory.mend[1] + 1 if memory.mend[0] == seen.mend else 1
    fresh = replace(memory, seen=(seen.state, seen.message, count), mend=(seen.mend, reason))
    play = ""
    if seen.mend and reason >= seen.patient:
        times, last = memory.mended.get(seen.mend, (0, 0.0))
        if now - last >= PAUSES[min(times, len(PAUSES) - 1)]:
            play = seen.mend
            fresh = replace(fresh, mended={**memory.mended, seen.mend: (times + 1, now)}, mend=("", 0))
    say = bool(seen.state) and count >= AGREE and (seen.state, seen.message) != memory.said
    if say:
        # Another reason for the same state has to be seen twice as well.
        say = seen.state != memory.said[0] or seen.message == memory.seen[1]
    if say:
        fresh = replace(fresh, said=(seen.state, seen.message), mine=True)
    return fresh, Decision(say, play)


def load(path: Path) -> Memory:
    """The memory; none where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Memory(
            (str(found["said"][0]), str(found["said"][1])),
            bool(found["mine"]),
            str(found["fine"]),
            (str(found["seen"][0]), str(found["seen"][1]), int(found["seen"][2])),
            (str(found["mend"][0]), int(found["mend"][1])),
            {str(key): (int(times), float(last)) for key, (times, last) in found["mended"].items()},
            bool(found["owed"]),
            str(found["address"]),
        )
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return Memory()


def save(path: Path, memory: Memory) -> None:
    """Keep the memory; raises OSError."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(json.dumps(asdict(memory)), encoding="utf-8")
    draft.replace(path)
