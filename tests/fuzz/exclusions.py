"""False failures reported by schemathesis, one line each: the check, the condition, and the reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.openapi.checks import AllowHeaderMismatch, RejectedPositiveData, UseAfterFree

from tams_server.specification.operations import FORM

_LIMITS = re.compile(
    "(range of|fit) a (signed )?64-bit|nests more than|must be an absolute http or https URL"
    "|bytes of UTF-8|bytes as JSON|at most [0-9]+ (items|names)|cannot be part of a path"
)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A check whose failures are ignored where `applies` is true."""

    failure: type[Failure]
    applies: Callable[[Failure, Case[Any], Response], bool]
    reason: str


def error_names_a_rule(failure: Failure, case: Case[Any], response: Response) -> bool:
    return "behaviour" in _problem(response)


def is_beyond_limits(failure: Failure, case: Case[Any], response: Response) -> bool:
    return _LIMITS.search(_problem(response).get("detail", "")) is not None


def is_head(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.method == "HEAD" and response.status_code == 400


def is_unsuitable_for_players(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.path.endswith(("/output.m3u8", "/output.mpd", "/thumbnail.jpg")) and response.status_code == 415


def is_not_of_deleted_resources(failure: Failure, case: Case[Any], response: Response) -> bool:
    return _problem(response).get("code") == "deleted.parameter"


def has_only_unknown_parameters(failure: Failure, case: Case[Any], response: Response) -> bool:
    return "in query - object with unexpected properties" in failure.message


def is_a_path_of_objects_too(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.path == "/objects/batch"


def is_an_emptied_listing(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.path == "/flows/{flowId}/segments"


def is_a_form_out_of_order(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.media_type == FORM and "in this order" in _problem(response).get("detail", "")


def is_a_form_in_order(failure: Failure, case: Case[Any], response: Response) -> bool:
    return case.media_type == FORM and isinstance(case.body, dict) and list(case.body) == ["segment", "file"]


EXCLUSIONS = (
    Exclusion(
        RejectedPositiveData, error_names_a_rule, "TAMS has rules that no schema states; the error names the rule"
    ),
    Exclusion(
        RejectedPositiveData, is_beyond_limits, "databases have no numbers beyond 64 bits and no unlimited names"
    ),
    Exclusion(RejectedPositiveData, is_head, "HEAD has no body that could name the rule; the same GET has one"),
    Exclusion(RejectedPositiveData, is_unsuitable_for_players, "HLS cannot carry all media (docs/playback.md)"),
    Exclusion(RejectedPositiveData, is_not_of_deleted_resources, "F13: some filters cannot go with deleted=true"),
    Exclusion(AcceptedNegativeData, has_only_unknown_parameters, "unknown query parameters are ignored (A64)"),
    Exclusion(RejectedPositiveData, is_a_form_out_of_order, "no schema can state the order of the parts of a form"),
    Exclusion(
        AcceptedNegativeData, is_a_form_in_order, "in a form that was changed, it takes the bytes of a file for no text"
    ),
    Exclusion(
        AllowHeaderMismatch, is_a_path_of_objects_too, "F6: /objects/batch is also the path of an object with that id"
    ),
    Exclusion(UseAfterFree, is_an_emptied_listing, "a flow still lists its segments when all are deleted (A34)"),
)


def is_failure(failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether a reported failure is a real one."""
    return not any(
        isinstance(failure, exclusion.failure) and exclusion.applies(failure, case, response)
        for exclusion in EXCLUSIONS
    )


def _problem(response: Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
