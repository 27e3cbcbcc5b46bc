"""The errors of storage: one small family of exceptions, mapped to HTTP statuses in one place by the application.

Every message names the field, the value and the rule, so that clients can be shown it unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.error_codes import deletion, general, playback
from storage.error_codes.code import ErrorCode

_MAX_MESSAGE_CHARS = 2000
_MAX_FIELD_CHARS = 300


class TamsError(Exception):
    """An error to report to the caller.

    message: one sentence that names the field, the value and the rule. Cut if it is long: it may hold text of a client,
    and responses and logs repeat it.
    field: where the fault is, in the terms of storage: a member of the document, dotted for nested members
    ("essence_parameters.frame_rate", "get_urls.0.label"), or else an argument of the method ("flow_id", "page_key").
    Storage does not know the names of HTTP parameters; the handlers replace arguments by parameters.
    code: the rule, by its stable name (storage.error_codes); by default the code of the class.
    behaviour: id of the behaviour that requires the error (docs/behaviours.md), for reference.
    schema_path: which rule of which schema is broken, as a pointer into the API's document.
    """

    kind = "error"
    """The name of the class, which `code.kind` repeats. Clients see it in the type of the problem."""
    default_code: ErrorCode = general.INVALID

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        field: str | None = None,
        behaviour: str | None = None,
        schema_path: str | None = None,
    ) -> None:
        self.message = _cut(message, _MAX_MESSAGE_CHARS)
        super().__init__(self.message)
        self.code = code or self.default_code
        self.field = None if field is None else _cut(field, _MAX_FIELD_CHARS)
        self.behaviour = behaviour
        self.schema_path = schema_path

    def described(self) -> dict[str, Any]:
        """Return what a program needs to know of the error, as members of a document; those without a value left out.

        They stand in problem documents, and beside the members of error.json in lists of what failed.
        """
        members = {
            "code": self.code.name,
            "severity": self.code.severity,
            "field": self.field,
            "behaviour": self.behaviour,
            "schema_path": self.schema_path,
        }
        return {name: value for name, value in members.items() if value is not None}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


class Invalid(TamsError):
    """The request breaks a rule (HTTP 400)."""

    kind = "invalid"
    default_code = general.INVALID


class Forbidden(TamsError):
    """The resource exists, but must not be changed this way (HTTP 403)."""

    kind = "forbidden"
    default_code = general.FORBIDDEN


class QuotaExceeded(Forbidden):
    """The caller has used up what it may store. Waiting does not help, so that it is not HTTP 429 but 403."""

    kind = "quota_exceeded"
    default_code = general.QUOTA


class NotFound(TamsError):
    """The addressed resource does not exist (HTTP 404)."""

    kind = "not_found"
    default_code = general.NOT_FOUND


class Conflict(TamsError):
    """The change conflicts with one just made by another caller; the same request may succeed later (HTTP 409)."""

    kind = "conflict"
    default_code = general.CONFLICT


class AlreadyExists(TamsError):
    """What is to be written exists already and cannot be replaced (HTTP 409)."""

    kind = "already_exists"
    default_code = general.ALREADY_EXISTS


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on something, of one kind. count: how many there are at least; more: whether there are more.

    first: documents that name the first of them.
    """

    kind: str
    count: int
    more: bool
    first: tuple[Mapping[str, Any], ...]


class InUse(TamsError):
    """What is to be deleted has dependents, and nothing was changed (HTTP 409).

    what: it, in a few words. named: whether the caller may know what the dependents are.
    """

    kind = "in_use"
    default_code = deletion.FLOW_IN_USE

    def __init__(self, what: str, dependents: Sequence[Dependents], *, code: ErrorCode, named: bool) -> None:
        self.dependents = tuple(dependents) if named else ()
        counts = [
            f"{'more than ' if each.more else ''}{each.count} {each.kind.replace('_', ' ')}" for each in self.dependents
        ]
        by = f": {', '.join(counts)}" if counts else ""
        super().__init__(f"{what} must not be deleted, because something depends on it{by}", code=code, field="cascade")

    def described(self) -> dict[str, Any]:
        """As of every error, with the dependents by kind."""
        dependents = {
            each.kind: {"count": each.count, "more": each.more, "first": list(each.first)} for each in self.dependents
        }
        return super().described() | ({"dependents": dependents} if dependents else {})


class PreconditionFailed(TamsError):
    """The resource is not in the state that the request requires; nothing was changed (HTTP 412)."""

    kind = "precondition_failed"
    default_code = general.PRECONDITION


class Unavailable(TamsError):
    """A store is unreachable or too busy, and nothing was changed (HTTP 503)."""

    kind = "unavailable"
    default_code = general.UNAVAILABLE


class TooExpensive(TamsError):
    """A query needs more time or memory than it may have; the same query is too expensive again (HTTP 422)."""

    kind = "too_expensive"
    default_code = general.TOO_EXPENSIVE


class Unsuitable(TamsError):
    """The media of a resource cannot be had in the form that is requested (HTTP 415)."""

    kind = "unsuitable_media"
    default_code = playback.UNSUITABLE


class NotInstalled(TamsError):
    """This installation has not got what the request needs, or it is switched off (HTTP 501)."""

    kind = "not_installed"
    default_code = general.NOT_INSTALLED


class Contended(Unavailable):
    """Another writer came first. Nothing was changed, and the same call can be retried immediately."""

    kind = "contended"
    default_code = general.CONTENDED
