"""Backups in a bucket: complete once their manifest is there, and removed by --keep."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.backup import s3_place
from storage.catalog.backup.s3_place import S3Place
from tams_server.cli.main import main
from tests.engines.killed_command import SMALL_BATCH
from tests.engines.test_backup import killed
from tests.logging_state import kept_logging
from tests.servers.seaweed import SeaweedServer

Run = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    with kept_logging():
        yield


@pytest.fixture
def bucket(server: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that commands have access to."""
    for name, value in (server.credentials | {"AWS_ENDPOINT_URL": server.endpoint}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.region)
    return server.new_bucket()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a catalogue in use."""
    monkeypatch.setenv("TAMS_DATA_DIR", str(tmp_path / "old"))

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    for number in range(2 * SMALL_BATCH):
        assert run("token", "create", "--name", f"name {number}")[0] == 0
    return run


def keys(server: SeaweedServer, bucket: str) -> list[str]:
    found: list[dict[str, Any]] = server.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return [each["Key"] for each in found]


def test_round_trip_and_rotation(
    server: SeaweedServer, bucket: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{bucket}/a/prefix"
    server.client().put_object(Bucket=bucket, Key="a/prefix/20260101-notes/manifest.json", Body=b"of others")
    names = [run("backup", place, "--keep", "2")[1].split()[0] for _ in range(3)]
    listed = run("backup", place, "--list")[1]
    assert [line.split()[0] for line in listed.splitlines()] == names[1:]
    assert not any(names[0] in key for key in keys(server, bucket))
    assert "a/prefix/20260101-notes/manifest.json" in keys(server, bucket)
    assert run("export", str(tmp_path / "before"))[0] == 0
    for address in (place, f"{place}/{names[1]}"):
        monkeypatch.setenv("TAMS_DATA_DIR", str(tmp_path / f"new{len(address)}"))
        assert run("restore", address)[0] == 0
        assert run("export", str(tmp_path / f"after{len(address)}"))[0] == 0
        for file in (tmp_path / "before").iterdir():
            assert (tmp_path / f"after{len(address)}" / file.name).read_bytes() == file.read_bytes()


def test_an_upload_that_was_interrupted_is_no_backup_and_is_removed_after_a_day(
    server: SeaweedServer, bucket: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{bucket}"
    complete = run("backup", place)[1].split()[0]
    interrupted = run("backup", place)[1].split()[0]
    server.client().delete_object(Bucket=bucket, Key=f"{interrupted}/manifest.json")
    assert [line.split()[0] for line in run("backup", place, "--list")[1].splitlines() if "rows" in line] == [complete]
    assert run("backup", place)[0] == 0
    assert any(interrupted in key for key in keys(server, bucket))

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = UTC) -> Any:
            return datetime.now(tz) + timedelta(days=1, hours=1)

    monkeypatch.setattr(s3_place, "datetime", Tomorrow)
    assert run("backup", place)[0] == 0
    assert not any(interrupted in key for key in keys(server, bucket))
    assert any(complete in key for key in keys(server, bucket))


def test_a_backup_that_was_killed_leaves_no_key(server: SeaweedServer, bucket: str, run: Run) -> None:
    assert killed(3, "backup", f"s3://{bucket}/x")
    assert keys(server, bucket) == []


def test_problems_with_the_bucket_are_told(run: Run, bucket: str) -> None:
    status, output = run("backup", "s3://no-such-bucket")
    assert (status, "s3://no-such-bucket cannot be used" in output) == (1, True)
    status, output = run("restore", f"s3://{bucket}/nothing")
    assert (status, "no complete backup" in output) == (1, True)
    status, output = run("backup", f"s3://{bucket}", "--media")
    assert (status, "only in a backup to a folder" in output) == (1, True)
    assert run("backup", "https://host/bucket")[0] == 1


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix", "s3://bucket/x?y", "gs://bucket"])
def test_other_addresses_are_rejected(address: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        S3Place(address)
