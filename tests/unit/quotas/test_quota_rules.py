"""The quotas of principals, from the settings and the quota file."""

from pathlib import Path

import pytest

from tams_server.quotas.quota_rules import Quotas, read_quota_rules
from tams_server.settings import Settings, SettingsError, yaml_files


def errors_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "quotas.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_quota_rules(Settings(quota_file=file))
    return [error.removeprefix(f"{file}: ") for error in caught.value.errors]


def test_there_are_no_quotas_by_default() -> None:
    rules = read_quota_rules(Settings())
    assert rules.of("anybody") == Quotas()
    assert not rules.limit("uploads", "upload_bytes", "allocations", "stored_bytes")


def test_exceptions_have_the_other_quotas_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "quotas.yaml"
    file.write_text("principals:\n  ingest: {uploads: null, stored_bytes: 7}\n  'Ann é': {}\n")
    rules = read_quota_rules(Settings(quota_uploads=5, quota_stored_bytes=6, quota_file=file))
    assert rules.of("ingest") == Quotas(uploads=None, stored_bytes=7)
    assert rules.of("Ann é") == rules.of("anybody") == Quotas(uploads=5, stored_bytes=6)
    assert rules.limit("uploads")


def test_a_quota_of_one_principal_is_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "quotas.yaml"
    file.write_text("principals: {trial: {allocations: 1}}")
    rules = read_quota_rules(Settings(quota_file=file))
    assert rules.limit("allocations")
    assert not rules.limit("uploads", "stored_bytes")


def test_every_error_of_the_file_is_reported(tmp_path: Path) -> None:
    text = "principals: {a: {uploads: 0, bytes: 1}, b: {stored_bytes: 5 GB, allocations: true}, 7: {}, c: 5}"
    assert errors_of(tmp_path, text) == [
        "principals.a.uploads: 0 must be an integer of at least 1, or null for no limit",
        "principals.a.bytes: must be one of uploads, upload_bytes, allocations, stored_bytes",
        "principals.b.stored_bytes: '5 GB' must be an integer of at least 1, or null for no limit",
        "principals.b.allocations: True must be an integer of at least 1, or null for no limit",
        "principals.7: the name must be a text; put it in quotes",
        "principals.c: must have quotas, not 5",
    ]


@pytest.mark.parametrize("text", ["", "[]", "principals: []", "principals: {}\nothers: {}"])
def test_the_file_has_principals_alone(tmp_path: Path, text: str) -> None:
    [error] = errors_of(tmp_path, text)
    assert error == "must have exactly one member, principals, with the quotas of each by its name"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"TAMS_QUOTA_FILE: .*missing.yaml"):
        read_quota_rules(Settings(quota_file=tmp_path / "missing.yaml"))
    (tmp_path / "bad.yaml").write_text("principals: {a: [}")
    with pytest.raises(SettingsError, match="line 1: invalid YAML"):
        read_quota_rules(Settings(quota_file=tmp_path / "bad.yaml"))


def test_a_server_keeps_what_it_has_read_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes that replace others read it later, when it may have become invalid."""
    monkeypatch.setattr(yaml_files._texts, "kept", None)
    file = tmp_path / "quotas.yaml"
    file.write_text("principals: {}")
    yaml_files.keep_files()
    for _ in range(2):
        assert yaml_files.read_yaml(file, "TAMS_QUOTA_FILE") == {"principals": {}}
        file.unlink(missing_ok=True)
