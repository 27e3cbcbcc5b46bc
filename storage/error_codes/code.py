"""What a code is, and the list of all that have been declared."""

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["warning", "error", "critical"]
"""warning: nothing is wrong with the request, and the same one may succeed later. error: the request, or what it
addresses, has to change first. critical: the server or a store has a fault that the operator must look at."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A stable name for one rule or fault.

    name: what clients see, "subject.problem". kind: of the class of errors that has this code (TamsError.kind), which
    determines the HTTP status. meaning, remedy: sentences for docs/errors.md.
    """

    name: str
    kind: str
    meaning: str
    remedy: str
    severity: Severity = "error"


CODES: Final[dict[str, ErrorCode]] = {}
"""By name, in the order of declaration."""


def declare(name: str, kind: str, meaning: str, remedy: str, severity: Severity = "error") -> ErrorCode:
    """Add a code to the list. Raises ValueError for a name that another one has."""
    if name in CODES:
        raise ValueError(f"the error code {name} is declared twice")
    CODES[name] = code = ErrorCode(name, kind, meaning, remedy, severity)
    return code
