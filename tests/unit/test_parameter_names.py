"""The parameters that clients read in errors, in place of the catalogue's arguments."""

import pytest

from handlers.shared.parameter_names import parameter_names
from storage.errors import Invalid


@pytest.mark.parametrize(
    ("path", "field", "named"),
    [
        (["flowId"], "flow_id", "flowId"),
        (["flowId", "name"], "name", "name"),
        (["request-id"], "request_id", "request-id"),
        (["profileId"], "profile_id", "profileId"),
        (["flowId"], "profile_id", "profile_id"),
        (["flowId"], "source_id", "source_id"),
        (["flowId"], "object_id", "object_id"),
        ([], "page_key", "page"),
        ([], "get_urls.0.label", "get_urls.0.label"),
        ([], None, None),
    ],
)
def test_an_error_names_the_parameter_or_the_member_of_the_body(
    path: list[str], field: str | None, named: str | None
) -> None:
    with pytest.raises(Invalid) as raised, parameter_names(dict.fromkeys(path, "value")):
        raise Invalid("a message", field=field)
    assert raised.value.field == named
