"""What storage refuses, and why: one small family of exceptions, mapped to HTTP in one place by the application.

Every message names the field, the value and the rule, so that it can be shown to the client as it is.
"""


class TamsError(Exception):
    """A refusal that the caller is to be told about.

    message: one sentence naming the field, the value and the rule.
    field: the member, parameter or path part at fault, dotted for nested members ("essence_parameters.frame_rate").
    behaviour: id of the behaviour that asks for the refusal (docs/behaviours.md), for those who look it up.
    """

    code = "error"

    def __init__(self, message: str, *, field: str | None = None, behaviour: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.behaviour = behaviour


class Invalid(TamsError):
    """The request breaks a rule: 400."""

    code = "invalid"


class Forbidden(TamsError):
    """The resource is there, and may not be changed so: 403."""

    code = "forbidden"


class NotFound(TamsError):
    """The addressed resource is not there: 404."""

    code = "not_found"


class Conflict(TamsError):
    """The change meets another that has just been made; the same request may succeed later: 409."""

    code = "conflict"


class Unavailable(TamsError):
    """A store cannot be reached or is too busy; nothing was changed: 503."""

    code = "unavailable"


class Contended(Unavailable):
    """Another writer got in between. Nothing was changed, and the same call may be tried again at once."""

    code = "contended"
