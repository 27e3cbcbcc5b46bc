"""The errors of storage: one small family of exceptions, mapped to HTTP statuses in one place by the application.

Every message names the field, the value and the rule, so that clients can be shown it unchanged.
"""


class TamsError(Exception):
    """An error to report to the caller.

    message: one sentence that names the field, the value and the rule.
    field: where the fault is, in the terms of storage: a member of the document, dotted for nested members
    ("essence_parameters.frame_rate", "get_urls.0.label"), or else an argument of the method ("flow_id", "page_key").
    Storage does not know the names of HTTP parameters; the handlers replace arguments by parameters.
    behaviour: id of the behaviour that requires the error (docs/behaviours.md), for reference.
    """

    code = "error"

    def __init__(self, message: str, *, field: str | None = None, behaviour: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.behaviour = behaviour


class Invalid(TamsError):
    """The request breaks a rule (HTTP 400)."""

    code = "invalid"


class Forbidden(TamsError):
    """The resource exists, but must not be changed this way (HTTP 403)."""

    code = "forbidden"


class NotFound(TamsError):
    """The addressed resource does not exist (HTTP 404)."""

    code = "not_found"


class Conflict(TamsError):
    """The change conflicts with one just made by another caller; the same request may succeed later (HTTP 409)."""

    code = "conflict"


class AlreadyExists(TamsError):
    """What is to be written exists already and cannot be replaced (HTTP 409)."""

    code = "already_exists"


class PreconditionFailed(TamsError):
    """The resource is not in the state that the request requires; nothing was changed (HTTP 412)."""

    code = "precondition_failed"


class Unavailable(TamsError):
    """A store is unreachable or too busy, and nothing was changed (HTTP 503)."""

    code = "unavailable"


class Contended(Unavailable):
    """Another writer came first. Nothing was changed, and the same call can be retried immediately."""

    code = "contended"
