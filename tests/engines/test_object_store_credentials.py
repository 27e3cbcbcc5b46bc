"""Sources of the credentials of S3 stores: where they look, and that they notice new credentials."""

import datetime
import os
import time
from pathlib import Path

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from storage.errors import Unavailable
from storage.media.s3_credentials import ChainCredentials, EnvironmentCredentials, FileCredentials
from storage.media.sigv4 import Credentials
from storage.waiting import WouldWait, answer_at_once

FILE = """
[default]
aws_access_key_id = AK1
aws_secret_access_key = with+odd/characters%=
[other]
aws_access_key_id: AK2
aws_secret_access_key: S2
aws_session_token: T2==
[half]
aws_access_key_id = AK3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(FILE)
    return path


def test_credentials_from_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    source = EnvironmentCredentials("KEY_ID", "KEY", "TOKEN")
    monkeypatch.setenv("KEY_ID", "AK")
    with pytest.raises(Unavailable, match="KEY"):
        source.current()
    monkeypatch.setenv("KEY", "S")
    assert source.current() == Credentials("AK", "S", None)
    monkeypatch.setenv("TOKEN", "T")
    assert source.current() == Credentials("AK", "S", "T")


def test_credentials_from_the_profiles_of_a_file(path: Path) -> None:
    assert FileCredentials(path).current() == Credentials("AK1", "with+odd/characters%=", None)
    assert FileCredentials(path, "other").current() == Credentials("AK2", "S2", "T2==")
    for profile in ("half", "missing"):
        with pytest.raises(Unavailable, match=profile):
            FileCredentials(path, profile).current()


def test_changed_file_is_read_again(path: Path) -> None:
    now = 0.0
    source = FileCredentials(path, clock=lambda: now)
    assert source.current().access_key == "AK1"
    path.write_text(FILE.replace("AK1", "AK9"))
    now += 1
    assert source.current().access_key == "AK9"
    for broken in ("", "[default]\naws_access_key_id = AK5\n", "\0\xff"):
        path.write_text(broken)
        now += 1
        assert source.current().access_key == "AK9"
    path.unlink()
    now += 1
    assert source.current().access_key == "AK9"
    path.write_text(FILE)
    now += 1
    assert source.current().access_key == "AK1"


def test_a_file_created_later_is_found_immediately(tmp_path: Path) -> None:
    source = FileCredentials(tmp_path / "credentials", clock=lambda: 0)
    with pytest.raises(Unavailable):
        source.current()
    (tmp_path / "credentials").write_text(FILE)
    assert source.current().access_key == "AK1"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Remove all credentials from the environment and the home folder. Returns the file that AWS tools then read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    path = tmp_path / "shared"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


def test_the_default_chain_finds_the_credentials_of_aws_tools(bare: Path) -> None:
    bare.write_text(FILE)
    source = ChainCredentials()
    assert source.current() == Credentials("AK1", "with+odd/characters%=", None)


def test_the_default_chain_is_not_searched_at_every_use(bare: Path) -> None:
    now = 0.0
    source = ChainCredentials(clock=lambda: now)
    with pytest.raises(Unavailable):
        source.current()
    bare.write_text(FILE)
    started = time.monotonic()
    for _ in range(1000):
        with pytest.raises(Unavailable):
            source.current()
    assert time.monotonic() - started < 2
    now += 10
    assert source.current().access_key == "AK1"


def test_credentials_that_are_known_are_returned_at_once(path: Path, bare: Path) -> None:
    now = 0.0
    bare.write_text(FILE)
    for source in (FileCredentials(path, clock=lambda: now), ChainCredentials(clock=lambda: now)):
        with answer_at_once(), pytest.raises(WouldWait):
            source.current()
        known = source.current()
        with answer_at_once():
            assert source.current() == known


def test_a_file_that_may_have_changed_is_not_read_at_once(path: Path) -> None:
    now = 0.0
    source = FileCredentials(path, clock=lambda: now)
    source.current()
    now += 1
    with answer_at_once(), pytest.raises(WouldWait):
        source.current()


def test_temporary_credentials_are_not_renewed_at_once(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    renewals = []

    def renew() -> dict[str, str]:
        renewals.append(len(renewals))
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=len(renewals))
        return {"access_key": "AK", "secret_key": "S", "token": "T", "expiry_time": expires.isoformat()}

    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    expiring = RefreshableCredentials("AK", "S", "T", soon, renew, "test")
    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda self: expiring)
    source = ChainCredentials()
    source._find()
    with answer_at_once(), pytest.raises(WouldWait):
        source.current()
    assert renewals == []
    renewed = source.current()
    assert renewals == [0]
    with answer_at_once():
        assert source.current() == renewed
