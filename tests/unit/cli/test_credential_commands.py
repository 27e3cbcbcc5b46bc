"""tams-server token, user and client."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.credentials import Credentials
from storage.tables import open_engine
from tams_server.cli.main import main

DAY_US = 86_400 * 1_000_000

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TAMS_AUDIT_LOG", str(tmp_path / "audit.jsonl"))

    def command(noun: str, action: str, *options: str) -> int:
        return main([noun, action, "--data-dir", str(tmp_path), *options])

    return command


def credentials(folder: Path) -> Credentials:
    return Credentials(open_engine(f"sqlite:///{folder / 'catalog.db'}"))


def audited(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("noun", "secret"), [("token", "token"), ("user", "password"), ("client", "client_secret")])
def test_a_credential_lives_and_its_secret_is_printed_once(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], noun: str, secret: str
) -> None:
    assert run(noun, "create", "--name", "one", "--group", "a", "--group", "b c", "--expires", "90d", "-o", "json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["kind"], made["name"], made["state"]) == (noun, "one", "active")
    assert (made["scopes"], made["groups"]) == (["read"], ["a", "b c"])
    assert run(noun, "create", "--name", "one") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "choose another name" in printed.err
    assert run(noun, "rotate", "one", "--grace", "1h") == 0
    printed = capsys.readouterr()
    second = printed.out.strip()
    assert second not in printed.err
    assert len({made[secret], second}) == 2
    assert run(noun, "list") == run(noun, "list", "--all", "-o", "json") == 0
    assert run(noun, "revoke", "one") == 0
    assert run(noun, "revoke", "one") == 1
    printed = capsys.readouterr()
    log = (tmp_path / "audit.jsonl").read_text()
    for each in (made[secret], second):
        assert each not in printed.out + printed.err + log
    assert "within five seconds" in printed.err
    assert run(noun, "list") == 0
    assert "no " in capsys.readouterr().err
    assert [each["action"] for each in audited(tmp_path)] == ["create", "rotate", "revoke"]
    assert {each["principal"].partition(":")[0] for each in audited(tmp_path)} == {"cli"}
    assert [each["state"] for each in audited(tmp_path)[-1]["before"]][-1] == "active"
    assert {each["state"] for each in audited(tmp_path)[-1]["after"]} == {"revoked"}


def test_a_password_of_ones_own_comes_from_standard_input(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("password1234\n"))
    assert run("user", "create", "--name", "ann", "--password-stdin") == 1
    assert "row of keys" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("sheep graze on Tuesdays\n"))
    assert run("user", "create", "--name", "ann", "--password-stdin", "--scopes", "read,tams-api/write") == 0
    assert capsys.readouterr().out == ""
    found = credentials(tmp_path).by_user("ann")
    assert found is not None and found.scopes == {"read", "write"}


@pytest.mark.parametrize(
    "options", [("--scopes", "reed"), ("--scopes", ""), ("--group", "a,b"), ("--name", "a\nb")], ids=str
)
def test_an_impossible_credential_is_not_created(run: Run, tmp_path: Path, options: tuple[str, str]) -> None:
    assert run("token", "create", "--name", "x", *options) == 1
    assert credentials(tmp_path).empty()


def test_a_user_of_the_system_may_have_no_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987_654_321)
    assert run("token", "create", "--name", "x") == 0
    assert [each["principal"] for each in audited(tmp_path)] == ["cli:uid 987654321"]


@pytest.mark.parametrize("expires", ["soon", "0", "2001-01-01", "90", "d", "2030-13-01"])
def test_an_impossible_expiry_is_an_error_of_usage(run: Run, expires: str) -> None:
    with pytest.raises(SystemExit):
        run("token", "create", "--name", "x", "--expires", expires)


def test_nothing_is_created_while_the_audit_log_must_be_written_and_cannot(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAMS_AUDIT_LOG", str(tmp_path / "absent" / "audit.jsonl"))
    monkeypatch.setenv("TAMS_AUDIT_FAILURE", "refuse")
    assert run("token", "create", "--name", "x") == 1
    assert "audit log cannot be written" in capsys.readouterr().err
    assert credentials(tmp_path).empty()
