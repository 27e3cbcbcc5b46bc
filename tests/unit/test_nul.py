"""Text with U+0000 or U+FDD0 is recognised in JSON as it is sent, and comes back as it was."""

import json

import orjson
import pytest

from storage.nul import escape_document, may_need_escape, unescape_json

CHANGED = ["\0", "\ufdd0", "\ufdd00", "a\0b\ufdd0", "\ufdd0\uff01"]
UNCHANGED = ["", "plain", "a\\u0000 of two characters", "é", "\uff01", "\ufdd1", "\ufdcf", "😀", 'a "quotation"\n']


def sent_forms(text: str) -> list[bytes]:
    """The text in a JSON document: as it is where JSON allows that, and with escapes in lower and upper case."""
    escaped = json.dumps([text])
    return [orjson.dumps([text]), escaped.encode(), escaped.replace("\\ufdd0", "\\uFDD0").encode()]


@pytest.mark.parametrize("text", CHANGED)
def test_text_that_is_escaped_is_recognised_and_comes_back(text: str) -> None:
    for raw in sent_forms(text):
        assert may_need_escape(raw)
        stored = escape_document(orjson.loads(raw))
        assert stored != [text]
        assert orjson.loads(unescape_json(orjson.dumps(stored))) == [text]


@pytest.mark.parametrize("text", UNCHANGED)
def test_other_text_stays_as_it_is(text: str) -> None:
    for raw in sent_forms(text):
        assert escape_document(orjson.loads(raw)) == [text]
        assert unescape_json(raw) == raw


@pytest.mark.parametrize("text", ["", "plain", "é", "\uff01", 'a "quotation"\n'])
def test_usual_documents_need_no_escaping(text: str) -> None:
    assert not any(may_need_escape(raw) for raw in sent_forms(text))
