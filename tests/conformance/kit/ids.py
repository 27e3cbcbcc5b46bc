"""Fresh identifiers, so that tests never collide with existing data."""

import uuid


def fresh() -> str:
    """A new UUID as TAMS requires: lower case, version 4 (GEN-02)."""
    return str(uuid.uuid4())


def fresh_name(prefix: str = "t") -> str:
    """A string that no other test uses, for labels and tag values."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
