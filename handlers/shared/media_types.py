"""Which of several media types a client prefers (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def preferred(accept: str, offered: Sequence[str]) -> str:
    """Return the one of `offered` that an Accept header likes best; the first one where it accepts none of them.

    Of equals, the one offered first.
    """
    weights = [_weight(accept, media_type) for media_type in offered]
    return offered[weights.index(max(weights))] if max(weights, default=0.0) > 0 else offered[0]


def _weight(accept: str, media_type: str) -> float:
    """The quality that the most specific range of the header gives to a media type; 0 if no range matches."""
    best = (-1, 0.0)
    for part in accept.lower().split(","):
        range_, *parameters = (each.strip() for each in part.split(";"))
        kind, _, subtype = range_.partition("/")
        if range_ == media_type:
            found = 2
        elif subtype == "*" and kind == media_type.partition("/")[0]:
            found = 1
        elif range_ == "*/*":
            found = 0
        else:
            continue
        best = max(best, (found, _quality(parameters)))
    return best[1]


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
