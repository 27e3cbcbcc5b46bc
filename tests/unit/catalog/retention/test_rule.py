"""What the tags of a flow say about how long it is kept."""

import pytest

from storage.catalog.retention.rule import RetentionRule, retention_rule
from storage.timerange import NS

NOW = 1_800_000_000 * NS


def test_a_flow_without_tags_is_kept_for_ever() -> None:
    rule = retention_rule({"color": "red"})
    assert rule == RetentionRule()
    assert rule.segments_due_before(10 * NS, NOW) is None
    assert rule.flow_due_at(0) is None


@pytest.mark.behaviour("TMO-07")
def test_the_offset_of_segments_is_added_to_their_end() -> None:
    rule = retention_rule({"segment_retention_offset": "3600:5"})
    assert rule.segments_due_before(0, NOW) == NOW - 3600 * NS - 5


@pytest.mark.behaviour("TMO-07")
def test_an_offset_may_be_negative_where_a_timeline_lies_in_the_future() -> None:
    assert retention_rule({"segment_retention_offset": "-10:0"}).segments_due_before(0, NOW) == NOW + 10 * NS


@pytest.mark.behaviour("TMO-07")
def test_the_offset_of_a_flow_is_added_to_its_last_change() -> None:
    assert retention_rule({"flow_retention_offset": "60:0"}).flow_due_at(NOW) == NOW + 60 * NS


@pytest.mark.parametrize(("text", "duration"), [("900", 900 * NS), ("0.5", NS // 2), (" 1.000000001 ", NS + 1)])
def test_a_loop_keeps_the_last_seconds_of_the_timeline(text: str, duration: int) -> None:
    rule = retention_rule({"loop_recorder_duration": text})
    assert rule.segments_due_before(5000 * NS, NOW) == 5000 * NS - duration


def test_segments_are_due_by_whichever_tag_comes_first() -> None:
    rule = retention_rule({"loop_recorder_duration": "900", "segment_retention_offset": "60:0"})
    assert rule.segments_due_before(NOW, NOW) == NOW - 60 * NS
    assert rule.segments_due_before(NOW + 3600 * NS, NOW) == NOW + 2700 * NS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("segment_retention_offset", "3600"),
        ("segment_retention_offset", ""),
        ("segment_retention_offset", ["1:0", "2:0"]),
        ("segment_retention_offset", []),
        ("segment_retention_offset", "99999999999999999999:0"),
        ("flow_retention_offset", "-1:0"),
        ("flow_retention_offset", "1h"),
        ("loop_recorder_duration", "0"),
        ("loop_recorder_duration", "-5"),
        ("loop_recorder_duration", "inf"),
        ("loop_recorder_duration", "٣"),
        ("loop_recorder_duration", "15 min"),
    ],
)
def test_a_tag_that_is_not_understood_deletes_nothing_and_says_why(name: str, value: str | list[str]) -> None:
    rule = retention_rule({name: value})
    assert rule.segments_due_before(10 * NS, NOW) is None
    assert rule.flow_due_at(0) is None
    assert name in rule.ignored[name]


def test_a_list_of_one_value_counts_as_that_value() -> None:
    assert retention_rule({"segment_retention_offset": ["5:0"]}).segment_offset == 5 * NS


def test_times_before_what_tables_can_hold_are_no_limit() -> None:
    assert retention_rule({"segment_retention_offset": "9223372036:0"}).segments_due_before(0, -NOW) is None
