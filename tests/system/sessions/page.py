"""Writes docs/reference/clients.md from the report of a run: python tests/system/sessions/page.py report.xml > page."""

import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from system.sessions.known import CLIENTS, ELSEWHERE, Client, version

ENGINES = {"sqlite": "SQLite, 1 worker", "postgresql": "PostgreSQL, 3 workers"}
NOT_RUN = "–"

HEAD = """\
# Clients

What real clients did with a running hub, one row per session. `make sessions` runs them and writes this page; the last
run was on {date}, on {system}. What is pulled is compared with what was pushed, byte for byte.
Heavy sessions and those with wrong passwords run on one database only ({not_run}: not on this one).

| Client | Version | Sessions that work |
|---|---|---|
{summary}
"""


@dataclass(frozen=True)
class Row:
    """One test on one engine."""

    client: str
    sentence: str
    engine: str
    result: str


def rows(report: Path) -> Iterator[Row]:
    """What the run's report says of sessions, one row for each client that took part."""
    for case in ET.parse(report).iter("testcase"):
        name, _, parameters = case.attrib["name"].partition("[")
        marks = parameters.rstrip("]").split("-") if parameters else []
        engine = next((mark for mark in marks if mark in ENGINES), "")
        others = [mark for mark in marks if mark and mark not in ENGINES]
        sentence = words(name) + (f" ({', '.join(others)})" if others else "")
        properties = {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")}
        clients = (
            [properties["client"]] if "client" in properties else [c.name for c in ELSEWHERE.get(name, ())]
        )
        for client in clients:
            yield Row(client, sentence, engine, _result(case))


def words(name: str) -> str:
    """A test's name as a sentence."""
    return name.removeprefix("test_").replace("_", " ")


def _result(case: ET.Element) -> str:
    for child in case:
        if child.tag in ("failure", "error"):
            return "**fails**"
        if child.tag == "skipped":
            known = child.attrib.get("type") == "pytest.xfail"
            return f"{'does not work' if known else 'not run'}: {child.attrib.get('message', '')}"
    return "works"


def section(client: Client, found: list[Row]) -> Iterator[str]:
    """One client's part of the page."""
    yield f"\n## {client.name}\n"
    if found:
        yield f"| What was tried | {' | '.join(ENGINES.values())} |"
        yield f"|---|{'---|' * len(ENGINES)}"
    for sentence in dict.fromkeys(row.sentence for row in found):
        cells = {row.engine: row.result for row in found if row.sentence == sentence}
        yield f"| {sentence} | {' | '.join(cells.get(engine, NOT_RUN) for engine in ENGINES)} |"
    if client.not_tried:
        yield ("\n" if found else "") + "Not tried:\n"
        yield from (f"- {what}: {why}" for what, why in client.not_tried.items())


def page(found: list[Row], *, date: str, system: str) -> str:
    """The whole page."""
    summary, sections = [], []
    for client in CLIENTS:
        of_it = [row for row in found if row.client == client.name]
        works = sum(row.result == "works" for row in of_it)
        summary.append(
            f"| [{client.name}](#{anchor(client.name)}) | {version(client)} | {works} of {len(of_it)} |"
        )
        sections.append("\n".join(section(client, of_it)))
    head = HEAD.format(date=date, system=system, not_run=NOT_RUN, summary="\n".join(summary))
    return head + "\n".join(sections) + "\n"


def anchor(title: str) -> str:
    """Where a heading is found within its page."""
    return title.replace("'", "").replace(" ", "-")


if __name__ == "__main__":
    report = Path(sys.argv[1])
    when = time.strftime("%d %B %Y", time.gmtime(report.stat().st_mtime)).lstrip("0")
    print(
        page(list(rows(report)), date=when, system=platform.freedesktop_os_release()["PRETTY_NAME"]), end=""
    )
