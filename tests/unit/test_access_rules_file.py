"""The file of the rules of fine-grained authorisation."""

from pathlib import Path

import pytest

from storage.catalog.access_rules import NO_RULES, DefaultClass
from tams_server.access_rules_file import embedded_backend_tags, read_access_rules
from tams_server.settings import Settings, SettingsError


def settings(folder: Path, text: str) -> Settings:
    (folder / "rules.yaml").write_text(text)
    return Settings(authorisation="classes", authorisation_rules=folder / "rules.yaml")


def test_there_are_no_rules_by_default() -> None:
    assert read_access_rules(Settings()) is NO_RULES
    assert embedded_backend_tags(Settings()) == {}


def test_every_member_is_optional(tmp_path: Path) -> None:
    rules = read_access_rules(settings(tmp_path, ""))
    assert rules.enabled
    assert rules.granted("news_read") == {"read"}
    assert rules.is_admin(frozenset({"admin"}))
    assert not rules.untagged_is_open


def test_members_are_read(tmp_path: Path) -> None:
    text = (
        "suffixes: {write: [_w]}\nadmin_group: null\ncreators: [recorders]\nuntagged: everyone\ndeny_prefix: no-\n"
        "default_classes: [{classes: [a_read]}, {group: desk, own_groups: true}]\nspread_changes: true\n"
        "add_flows_to_sources: creators\nembedded_backend_classes: [a_w]\n"
    )
    chosen = settings(tmp_path, text)
    rules = read_access_rules(chosen)
    assert rules.granted("a_w") == {"write"}
    assert rules.granted("a_read") == {"read"}
    assert not rules.is_admin(frozenset({"admin"}))
    assert rules.default_classes == (DefaultClass("a_read"), DefaultClass(None, "desk"))
    assert (rules.creators, rules.deny_prefix) == ({"recorders"}, "no-")
    assert rules.untagged_is_open
    assert rules.spreads
    assert rules.creators_extend_sources
    assert embedded_backend_tags(chosen) == {"auth_classes": ["a_w"]}


@pytest.mark.parametrize("text", ["untagged: nobody", "no: such", "creators: a", "[", "suffixes: {own: [x]}"])
def test_errors_name_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"rules\.yaml"):
        read_access_rules(settings(tmp_path, text))
