"""Fresh identifiers, so that tests meet nothing that is there already."""

import uuid


def fresh() -> str:
    """A UUID as TAMS wants them: lower case, version 4 (GEN-02)."""
    return str(uuid.uuid4())


def fresh_name(prefix: str = "t") -> str:
    """A text that no other test uses, for labels and tag values."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
