"""A flow with segments from -10 s to 3 s, and which of them overlap or lie within a given timerange.

The segments have no gap, because the specification does not say whether a filter on flows matches inside one (A18).
The last segment includes its end.
"""

from collections.abc import Iterable

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json, flow

SEGMENTS = {
    "A": "[-10:0_-5:0)",
    "B": "[-5:0_0:0)",
    "C": "[0:0_1:0)",
    "D": "[1:0_2:0)",
    "E": "[2:0_3:0]",
}
EXTENT = "[-10:0_3:0]"

OVERLAPPING = {
    "[0:0_1:0)": "C",
    "[0:0_1:0]": "CD",
    "(0:0_1:0)": "C",
    "(0:0_1:0]": "CD",
    "[-1:0_0:0)": "B",
    "[-1:0_0:0]": "BC",
    "[3:0_4:0)": "E",
    "(3:0_4:0)": "",
    "[-20:0_-10:0)": "",
    "[-20:0_-10:0]": "A",
    "_": "ABCDE",
    "(_)": "ABCDE",
    "[_]": "ABCDE",
    "[_)": "ABCDE",
    "[1:0]": "D",
    "[1:0_1:0]": "D",
    "1:0": "D",
    "[0:999999999]": "C",
    "0:999999999": "C",
    "[3:0]": "E",
    "[3:1]": "",
    "_-5:0)": "A",
    "[_-5:0)": "A",
    "(_-5:0)": "A",
    "_-5:0]": "AB",
    "[2:0_": "E",
    "(2:0_": "E",
    "[2:0_]": "E",
    "[2:0_)": "E",
    "(3:0_": "",
    "[1:0_": "DE",
    "[-10:0_-5:0)": "A",
    "[-0:500000000]": "B",
    "[-5:0]": "B",
    "[-5:1]": "A",
    "[-6:0_-4:0)": "AB",
    "[0:500000000_1:500000000)": "CD",
    "[281474976710655:0_281474976710655:999999999)": "",
    "[-281474976710655:0_281474976710655:999999999]": "ABCDE",
    "[100000000000000000000000000000000:0_": "",
    "_100000000000000000000000000000000:0)": "ABCDE",
    "_-100000000000000000000000000000000:0)": "",
}
"""The segments that overlap each timerange."""

EMPTY = ("()", "[10:0_0:0]", "[1:0_0:0)", "[1:0_1:0)", "(1:0_1:0]", "(1:0_1:0)", "(1:0)", "(2:0_-2:0)")
"""Spellings of the empty timerange."""

CONTAINED = {
    "[0:0_1:0)": "C",
    "(0:0_1:0)": "",
    "[0:0_1:0]": "C",
    "[0:0_0:999999999)": "",
    "[0:500000000_2:0)": "D",
    "[2:0_3:0)": "",
    "[2:0_3:0]": "E",
    "(1:0_3:0]": "E",
    "_0:0)": "AB",
    "[_0:0]": "AB",
    "[1:0_": "DE",
    "[1:0]": "",
    "1:0": "",
    "[-10:0_-5:0)": "A",
    "_": "ABCDE",
    "(_)": "ABCDE",
    "[-281474976710655:0_281474976710655:999999999]": "ABCDE",
    "[100000000000000000000000000000000:0_": "",
}
"""The segments that lie wholly within each timerange."""

MALFORMED = (
    "0:0 _1:0",
    "[0:0_1:0_2:0)",
    "[0:0,1:0)",
    "[a_b)",
    "soon",
    "[0_1)",
    "[1.5:0_2:0)",
    "[00:0_1:0)",
    "[0:0_1:1000000000)",
    "[0:007_1:0)",
    "[+1:0_2:0)",
    "+1:0",
    "[--1:0_2:0)",
    "[0:0_1:0)\n",
    "[[0:0_1:0)",
    "__",
)
"""Texts that the pattern for timeranges rejects."""


def make_timeline(tams: TamsClient, document: Json | None = None, segments: Iterable[str] = SEGMENTS.values()) -> Json:
    """Make a flow with these segments."""
    made = tams.make_flow(document or flow())
    tams.make_segments(made["id"], segments)
    return made
