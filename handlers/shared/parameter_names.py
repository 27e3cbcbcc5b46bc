"""Errors under the names of the API: the catalogue names its own arguments, clients know parameters."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from handlers.shared.call import Call, Result
from storage.errors import TamsError

_PATH_PARAMETERS = {
    "flow_id": "flowId",
    "source_id": "sourceId",
    "object_id": "objectId",
    "profile_id": "profileId",
    "webhook_id": "webhookId",
    "request_id": "request-id",
}
_QUERY_PARAMETERS = {"page_key": "page"}


def with_parameter_names(handler: Callable[[Call], Result]) -> Callable[[Call], Result]:
    """Decorate a handler so that its errors name parameters; see `parameter_names`."""

    @functools.wraps(handler)
    def call_handler(call: Call) -> Result:
        try:
            return handler(call)
        except TamsError as error:
            _name_parameter(error, call.path)
            raise

    return call_handler


@contextmanager
def parameter_names(path: Mapping[str, str]) -> Iterator[None]:
    """Make errors name the parameter at fault instead of the catalogue's argument: `flowId` instead of `flow_id`.

    path: the request's path parameters. A member of the body may have the name of an argument (`profile_id` of a flow);
    it is taken for a path parameter only if the request has that one.
    """
    try:
        yield
    except TamsError as error:
        _name_parameter(error, path)
        raise


def _name_parameter(error: TamsError, path: Mapping[str, str]) -> None:
    if error.field is not None:
        parameter = _PATH_PARAMETERS.get(error.field, error.field)
        error.field = parameter if parameter in path else _QUERY_PARAMETERS.get(error.field, error.field)
