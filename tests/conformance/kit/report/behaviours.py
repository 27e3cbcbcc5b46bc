"""The behaviours of docs/behaviours.md, as data."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "behaviours.md"
REQUIRED = ("MUST", "MUST(c)", "DOC")
"""Levels at which a difference is a failure. At the others it is a warning."""

_ROW = re.compile(r"\| ([A-Z]+(?:-[A-Z]+)*-\d+) \| ([A-Za-z()]+) \| (.*?) \| (.*) \|$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A behaviour. level: MUST, MUST(c), DOC, SHOULD, SHOULD(a), MAY, DER or INF. section: its heading.
    since: the version of the API that introduced it."""

    id: str
    level: str
    source: str
    text: str
    section: str
    since: str

    @property
    def required(self) -> bool:
        return self.level in REQUIRED


_SINCE_82 = (
    r"PROF-.*|FLOW-PROF-.*|FLOW-LIST-(05|06|07|08|10|12|13|14)|FLOW-VAL-14|FLOW-PUT-13|INIT-.*|OBJ-(09|10|11|13)"
    r"|SEG-POST-(3[12]|4[5-9]|5[0-4])|SEG-GET-(33|36|39|40)|SORT-.*|SVC-SORT-.*|SB-GET-0[4-7]|STO-(1[89]|2[0-4]|34)"
    r"|SRC-TAG-06|TAG-07|SRC-LIST-0[5-8]|FLOW-COLL-02|OBJ-INST-POST-1[34]|SEG-DEL-16|FLOW-DEL-09|OBJ-LIFE-05"
    r"|HOOK-LIST-0[23]|FLT-06|TRF-0[68]"
)
_SINCE_81 = r"OBJ-03|STO-30|TMO-03|SVC-GET-0[56]|OBJ-INST-POST-12|OBJ-INST-DEL-08"


def _since(id_: str) -> str:
    if re.fullmatch(_SINCE_82, id_):
        return "8.2"
    return "8.1" if re.fullmatch(_SINCE_81, id_) else "8.0"


@cache
def behaviours() -> dict[str, Behaviour]:
    """All listed behaviours by id."""
    found: dict[str, Behaviour] = {}
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif row := _ROW.match(line):
            id_, level, source, text = row.groups()
            found[id_] = Behaviour(id_, level, source, text.replace("\\|", "|"), section, _since(id_))
    return found
