"""Malformed input, which no well-behaved client sends, for paths, queries, headers and bodies."""

import json
from collections.abc import Iterator
from urllib.parse import quote

from hypothesis import strategies as st

_ESCAPES = "% %0 %zz %00 %0a %0D%0A %20 + %FF %C3%28 %ED%A0%80 %F4%90%80%80 %2F %5C %u0041 %25 %2525 %2C"
_PUNCTUATION = ".. . / // \\ ; : @ = & [ ( { ' \" _ 0:0 ~ | ^ ` < >"
_NAMES = "tag. tag_exists. limit= page= timerange= access_token= sort_by= accept_get_urls="

TARGETS = st.lists(
    st.one_of(
        st.sampled_from(" ".join((_ESCAPES, _PUNCTUATION, _NAMES)).split(" ")),
        st.binary(min_size=1, max_size=3).map(quote),
        st.binary(min_size=1, max_size=3).map(lambda raw: raw.decode("latin-1")),
    ),
    max_size=12,
).map(lambda pieces: "".join(character for character in "".join(pieces) if character > " "))
"""Parts of a path or query, as Latin-1 text: broken escapes, raw bytes and significant punctuation."""

HEADER_VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    st.sampled_from(
        ["", ",", ";", "*", '"', "é", "\x7f", "a" * 5000, "bytes=", "=" * 100, "W/", "%00", "\t", "\xf0\x9f\x99\x82"]
    ),
)
"""Values of a header, as Latin-1 text."""

_NUMBERS = "1e400 -1e400 9223372036854775808 -9223372036854775809 18446744073709551616 -0 0.0 1e-400 5.0 -1 0"
_INVALID_NUMBERS = "NaN Infinity -Infinity 0x10 01 1. +1 1_000 ١ undefined"
_TEXTS = r'"\u0000" "\ud800" "\udc00\ud800" "\x41" "" "[5:0" "\n" "\ufeff" "\udbff\udfff" "%00" " '
_SHAPES = '"\0" "\n" null true [] {} [null] {"":null} {"id":1,"id":2} {"__proto__":{}} [[],[]] //'

LITERALS = (
    *" ".join((_NUMBERS, _INVALID_NUMBERS, _TEXTS, _SHAPES)).split(" "),
    *("1" + 400 * "0", "0." + 2000 * "1", '"\ufeff"', '"\U0010ffff"', '"a b"'),
)
"""Replacements for a JSON value."""

BODIES = (
    *(text.encode() for text in LITERALS),
    *(b"[" * 10**5, b"[" * 10**5 + b"]" * 10**5, b'{"a":' * 10**5, b'{"a":' * 10**5 + b"1" + b"}" * 10**5),
    *(b"[" * 65 + b"]" * 65, b'"' + b"a" * 10**6 + b'"', b"1" * 10**6, b"{" + b" " * 10**6 + b"}"),
    *(b"\xff", b'"\xc3("', b'"\xed\xa0\x80"', b"{} {}", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"\0", b" ", b""),
    *(b'{"a":1,}', b"{'a':1}"),
)
"""Replacements for a body."""


def with_literals(body: object) -> Iterator[bytes]:
    """Replace each member of the body by each literal in turn, and add each as an extra member."""
    for literal in LITERALS:
        yield from (text.encode() for text in _replaced(body, literal))


def _replaced(body: object, literal: str) -> Iterator[str]:
    if isinstance(body, list) and body:
        yield from (f"[{text}]" for text in _replaced(body[0], literal))
    if isinstance(body, dict):
        for name in [*body, "unknown"]:
            rest = json.dumps({other: value for other, value in body.items() if other != name})
            yield f"{rest[:-1]}{', ' if len(rest) > 2 else ''}{json.dumps(name)}: {literal}}}"
