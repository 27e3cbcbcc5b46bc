"""Query strings as TAMS wants its lists: the commas between values literal, those inside a value encoded."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

Value = str | int | bool | Sequence[str]


def with_query(path: str, params: Mapping[str, Value | None]) -> str:
    """`path` with these parameters; a list becomes one value with commas, None leaves the parameter out."""
    pairs = [f"{quote(name, safe='')}={_text(value)}" for name, value in params.items() if value is not None]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return quote(str(value), safe="")
    return ",".join(quote(each, safe="") for each in value)
