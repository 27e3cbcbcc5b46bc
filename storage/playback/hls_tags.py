"""Tags of flows and sources that say how they are played: `hls_exclude`, `hls_name` and the others."""

from collections.abc import Mapping
from typing import Any


def hls_tag(document: Mapping[str, Any], name: str) -> str:
    """The value of the tag hls_{name}, the first of several; "" without one. document: of a flow or source."""
    value = (document.get("tags") or {}).get(f"hls_{name}", "")
    return value if isinstance(value, str) else next(iter(value), "")
