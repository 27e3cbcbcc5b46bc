"""Query strings with lists as TAMS defines them: literal commas between values, encoded commas within them."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

Value = str | int | bool | Sequence[str]


def with_query(path: str, params: Mapping[str, Value | None]) -> str:
    """Append parameters to `path`. A list becomes one comma-separated value; parameters given as None are left out."""
    pairs = [f"{quote(name, safe='')}={_text(value)}" for name, value in params.items() if value is not None]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)):
        return quote(str(value), safe="")
    return ",".join(quote(each, safe="") for each in value)
