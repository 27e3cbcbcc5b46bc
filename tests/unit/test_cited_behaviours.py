"""Every behaviour that a file of the repository cites is listed in docs/behaviours.md, and no dead ids are left."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.kit.report.behaviours import PAGE, behaviours

ROOT = PAGE.parents[1]
TEXT = {".py", ".md", ".yaml", ".yml", ".json", ".cfg", ".sh", ".sql", ""}

LISTED = frozenset(re.findall(r"^\| ([A-Z][A-Z-]*\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
"""The ids of the behaviours, and of the open points of the specification."""

GROUPS = sorted({id_.rpartition("-")[0] for id_ in LISTED if "-" in id_}, key=len, reverse=True)
CITED = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, GROUPS))})-\d\d(?!\w)|(?<![\w#%&/-])A\d\d(?![\w-])")
MARK = re.compile(r"mark\.behaviour\(([^)]*)\)|behaviour=(\"[^\"]*\")")
ID = re.compile(r'"([A-Z][A-Z-]*-?\d+)"')
DEAD = re.compile(r"(?<![\w:-])T\d\d(?![\w:])|\bdesign rule \d|\bsection [A-Z]\b")
"""Ids of earlier design notes, which no file of the repository defines."""


def texts() -> Iterator[tuple[str, str]]:
    """The name and content of every text file under version control except this one."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in TEXT and path.is_file() and path != Path(__file__):
            yield name, path.read_text(encoding="utf-8", errors="replace")


def lines() -> Iterator[tuple[str, str]]:
    """The place and content of every line of these files."""
    for name, text in texts():
        yield from ((f"{name}:{number}", line) for number, line in enumerate(text.splitlines(), 1))


def test_every_listed_behaviour_is_known_to_the_kit() -> None:
    assert behaviours().keys() == {id_ for id_ in LISTED if not re.fullmatch(r"A\d\d|AMB-\d\d", id_)}


def test_cited_behaviours_are_listed() -> None:
    unknown = [f"{place} {id_}" for place, line in lines() for id_ in CITED.findall(line) if id_ not in LISTED]
    assert not unknown, "\n".join(unknown)


def test_behaviours_in_marks_and_errors_are_listed() -> None:
    unknown = [
        f"{name} {id_}"
        for name, text in texts()
        for groups in MARK.findall(text)
        for id_ in ID.findall(" ".join(groups))
        if id_ not in LISTED
    ]
    assert not unknown, "\n".join(unknown)


def test_no_dead_ids_are_cited() -> None:
    dead = [f"{place} {found[0]}" for place, line in lines() if (found := DEAD.search(line))]
    assert not dead, "\n".join(dead)
