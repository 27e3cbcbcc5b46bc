"""Errors and the problem documents that are made of them: bounded, whatever text of a client they repeat."""

import orjson
import pytest

from storage.errors import Invalid
from tams_server.errors import BadRequest, problem


@pytest.mark.parametrize("kind", [Invalid, BadRequest])
def test_messages_and_fields_are_cut(kind: type[Invalid | BadRequest]) -> None:
    error = kind(f"start {'x' * 100_000}", field="f" * 100_000)
    response = problem(error, "/flows", "id")
    assert len(response.body) < 10_000
    document = orjson.loads(response.body)
    assert document["detail"].startswith("start xxx")
    assert document["detail"].endswith("...")
    assert str(error) == document["detail"]


def test_short_messages_stay_as_they_are() -> None:
    error = Invalid("label must be a text", field="label")
    assert (error.message, error.field) == ("label must be a text", "label")


def test_text_that_is_not_unicode_is_replaced() -> None:
    assert b"?" in problem(Invalid("\ud800"), "/", "id").body
