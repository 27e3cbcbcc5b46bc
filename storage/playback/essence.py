"""What playlists say of an essence, read from the document of a flow.

Documents that were stored under TAMS_VALIDATION_LEVEL=relaxed may have a value of any kind in any place. What is not of
its kind counts as unknown, since a line of a playlist must hold nothing else.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, Literal

Kind = Literal["video", "audio", "text"]

_BEYOND: Final = 2**32
"""No player reads greater numbers: those of manifests have 32 bits (xs:unsignedInt)."""
_KINDS: Final[Mapping[str, Kind]] = {
    "urn:x-nmos:format:video": "video",
    "urn:x-nmos:format:audio": "audio",
    "urn:x-nmos:format:multi": "video",
}


def kind_of(flow: Mapping[str, Any]) -> Kind:
    """What players present of a flow. flow: its document."""
    return _KINDS.get(flow["format"], "text")


def whole_number(value: object) -> int | None:
    """A whole number from 0 to 2^32 - 1, as an int also if JSON has it as 25.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _BEYOND:
        return None
    return int(value) if value == int(value) else None


def fraction(value: object) -> Fraction | None:
    """A fraction above zero, of a JSON object with `numerator` and `denominator`; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    numerator, denominator = whole_number(value.get("numerator")), whole_number(value.get("denominator", 1))
    return Fraction(numerator, denominator) if numerator and denominator else None


def parameter(flow: Mapping[str, Any], *names: str) -> Any:
    """The value of a member of essence_parameters, or of an object in it; None without one. flow: its document."""
    found: Any = flow.get("essence_parameters")
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def frame_rate(flow: Mapping[str, Any]) -> Fraction | None:
    """Frames in a second; None if there is no fixed rate, or it is not known."""
    return fraction(parameter(flow, "frame_rate"))


def resolution(flow: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of the pictures in pixels; None if they are not known."""
    width, height = (whole_number(parameter(flow, name)) for name in ("frame_width", "frame_height"))
    return (width, height) if width and height else None
