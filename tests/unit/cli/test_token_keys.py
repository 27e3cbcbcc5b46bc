"""tams-server keys --tokens: the keys that sign tokens."""

import json
from pathlib import Path

import pytest

from storage.catalog.token_keys import TokenKeys
from storage.tables import open_engine
from tams_server.auth.own_tokens import generate_key
from tams_server.cli.main import main


def run(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["keys", *arguments, "--tokens", "--data-dir", str(folder)]) == 0
    return capsys.readouterr().out.splitlines()


def test_keys_of_tokens_are_listed_and_rotated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "audit.jsonl"
    monkeypatch.setenv("TAMS_AUDIT_LOG", str(log))
    engine = open_engine(tmp_path / "catalog.db")
    engine.create()
    [first] = TokenKeys(engine).create(generate_key)
    engine.close()
    assert run(tmp_path, capsys, "list") == [f"{first.id}  signs"]
    former, new = run(tmp_path, capsys, "rotate")
    assert former.startswith(f"{first.id}  accepted until ")
    assert "  signs from " in new
    [only] = run(tmp_path, capsys, "rotate", "--revoke")
    assert only.split()[0] not in (first.id, new.split()[0])
    assert first.private["d"] not in former + new + only + log.read_text()
    rotated, revoked = map(json.loads, log.read_text().splitlines())
    assert (rotated["event"], rotated["kind"]) == ("credential", "key of tokens")
    assert (rotated["action"], revoked["action"]) == ("rotate", "revoke")
    assert (rotated["after"], revoked["after"]) == ([first.id, new.split()[0]], [only.split()[0]])


def test_no_key_is_rotated_while_that_must_be_audited_and_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_AUDIT_LOG", str(tmp_path / "absent" / "audit.jsonl"))
    monkeypatch.setenv("TAMS_AUDIT_FAILURE", "refuse")
    engine = open_engine(tmp_path / "catalog.db")
    engine.create()
    [first] = TokenKeys(engine).create(generate_key)
    assert main(["keys", "rotate", "--tokens", "--data-dir", str(tmp_path)]) == 1
    assert "audit log cannot be written" in capsys.readouterr().err
    assert [key.id for key in TokenKeys(engine).read()] == [first.id]
    engine.close()
