"""The result of a run: everything measured as JSON, and medians, spreads and ratios as Markdown."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from cases import Case, Row, Sample
from goals import GOALS, Goal

_TITLES = {
    "fairway": "Fairway",
    "registry2": "registry 2.8",
    "registry3": "registry 3.1",
    "zot": "zot",
    "nginx": "nginx",
}
_HEADING = """Each cell after Fairway's is how many times better Fairway is: 2.0 means twice the rate, or half the time or
memory. It is the ratio of the medians; the brackets hold the lowest and highest ratio of any one round. Fairway's own
cell is its median and, after ±, half the distance between its best and worst round. Only Fairway checks a token.
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement and where it belongs."""

    case: str
    round: int
    peer: str
    sample: Sample


@dataclass(slots=True)
class Report:
    """`about` says what ran where, `cases` what was measured, `failures` what could not be."""

    about: dict[str, object]
    cases: list[Case]
    taken: list[Taken] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def write(self, folder: Path, name: str) -> None:
        """`<name>.json` and `<name>.md` in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(asdict(one), separators=(",", ":")) for one in self.taken]
        about, failures = json.dumps(self.about, indent=1), json.dumps(self.failures)
        samples = ",\n".join(lines)
        (folder / f"{name}.json").write_text(
            f'{{"about": {about},\n"failures": {failures},\n"samples": [\n{samples}\n]}}\n'
        )
        (folder / f"{name}.md").write_text(self.markdown())

    def markdown(self) -> str:
        """The page a person reads."""
        about = "\n".join(f"- {name}: {_plain(value)}" for name, value in self.about.items())
        parts = [
            f"# Fairway beside its peers\n\n{about}\n",
            _HEADING,
            self._ratios(),
            self._costs(),
            self._waits(),
        ]
        if any(one.peer == "fairway-2" for one in self.taken):
            parts.append(self._second_worker())
        if goals := self._goals():
            parts.append(goals)
        if self.failures:
            parts.append("## Could not be measured\n\n" + "".join(f"- {line}\n" for line in self.failures))
        return "\n".join([*parts, *self.notes])

    def _values(self, row: Row, peer: str) -> dict[int, float]:
        """By round."""
        return {
            one.round: one.sample.values[row.key]
            for one in self.taken
            if one.peer == peer and row.key in one.sample.values
        }

    def _peers(self) -> list[str]:
        present = {one.peer for one in self.taken}
        return [name for name in _TITLES if name in present]

    def _ratios(self) -> str:
        peers = self._peers()
        table = [["", *(_TITLES[peer] for peer in peers)]]
        for row in (row for case in self.cases for row in case.rows):
            ours = self._values(row, "fairway")
            cells = [_own(row, ours)]
            cells += [_ratio(row, ours, self._values(row, peer)) for peer in peers if peer != "fairway"]
            table.append([row.title, *cells])
        return _table(table)

    def _second_worker(self) -> str:
        table = [["", "one worker", "two workers", "gain"]]
        for row in (row for case in self.cases for row in case.rows if case.two_workers):
            one, two = self._values(row, "fairway"), self._values(row, "fairway-2")
            table.append([row.title, _own(row, one), _own(row, two), _ratio(row, two, one)])
        return "## The second worker's gain\n\n" + _table(table)

    def _goals(self) -> str:
        rows = {row.key: row for case in self.cases for row in case.rows}
        table = [["", "goal", "seen", ""]]
        for goal in (goal for goal in GOALS if goal.row in rows):
            row = rows[goal.row]
            seen = goal.seen(self._values(row, goal.peer), self._values(row, goal.than))
            if seen is not None:
                verdict = "met" if goal.met(seen) else "**missed**"
                table.append([_title(goal, row), _bound(goal, row), _number(seen), verdict])
        return "## Goals\n\n" + _table(table) if len(table) > 1 else ""

    def _costs(self) -> str:
        heading = (
            "## What it cost\n\nThe server's processor time for each request (each push, for pushes), and in brackets "
            "what the load generator used of its one core. Other load on the machine disturbs this least.\n\n"
        )
        return heading + self._by_peer(_cost)

    def _waits(self) -> str:
        heading = "## How long the slowest took\n\nOf a hundred requests, one took longer than this.\n\n"
        return heading + self._by_peer(_slowest)

    def _by_peer(self, cell: Callable[[list[Sample]], str]) -> str:
        peers = self._peers()
        table = [["", *(_TITLES[peer] for peer in peers)]]
        for case in self.cases:
            cells = [cell(self._samples(case, peer)) for peer in peers]
            if any(cells):
                table.append([case.rows[0].title, *cells])
        return _table(table)

    def _samples(self, case: Case, peer: str) -> list[Sample]:
        return [one.sample for one in self.taken if one.case == case.name and one.peer == peer]


def _title(goal: Goal, row: Row) -> str:
    name = row.title.removeprefix("… ")
    return f"{name}, two workers" if goal.peer == "fairway-2" else name


def _bound(goal: Goal, row: Row) -> str:
    sign = "≤" if goal.most else "≥"
    what = f"× {_TITLES[goal.than]}" if goal.than else row.unit
    return f"{sign} {_number(goal.bound)} {what}"


def _cost(found: list[Sample]) -> str:
    if not found or not median(one.server_cpu for one in found):
        return ""
    each = median(one.server_cpu / one.operations for one in found)
    generator = median(one.generator_cpu / one.seconds for one in found)
    return f"{_time(each)} ({generator:.0%})"


def _slowest(found: list[Sample]) -> str:
    late = median(one.p99 for one in found) if found else 0.0
    return _time(late) if late else ""


def _own(row: Row, values: dict[int, float]) -> str:
    if not values:
        return "–"
    middle = median(values.values())
    if len(values) == 1 or not middle:
        return f"{_number(middle)} {row.unit}"
    spread = (max(values.values()) - min(values.values())) / 2 / middle
    return f"{_number(middle)} {row.unit} ±{spread:.0%}"


def _ratio(row: Row, ours: dict[int, float], theirs: dict[int, float]) -> str:
    rounds = sorted(ours.keys() & theirs.keys())
    if not rounds or not all([*ours.values(), *theirs.values()]):
        return "–"

    def better(mine: float, other: float) -> float:
        return mine / other if row.more else other / mine

    each = [better(ours[number], theirs[number]) for number in rounds]
    middle = better(median(ours.values()), median(theirs.values()))
    if len(each) == 1:
        return f"**{_number(middle)}**"
    return f"**{_number(middle)}** ({_number(min(each))}–{_number(max(each))})"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def _time(seconds: float) -> str:
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)


def _table(rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    width = lines[0].count("|") - 1
    lines.insert(1, "|---" + "|--:" * (width - 1) + "|")
    return "\n".join(lines) + "\n"
