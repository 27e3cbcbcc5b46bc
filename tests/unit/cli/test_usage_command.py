"""tams-server usage, from the command line; and the warning about bytes that no quota counts."""

import json
import logging
from pathlib import Path

import pytest

from storage.tables import open_engine
from tams_server.cli.main import main
from tams_server.settings import Settings
from tams_server.wiring import prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of a server in which two principals have stored something."""
    prepare(Settings(data_dir=tmp_path, bootstrap_token="t"))
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    with engine.write() as tx:
        tx.insert("usage", [{"principal": "ann\x1b[2J", "bytes": 5, "recounted": 0}])
        tx.insert("usage", [{"principal": "ingest", "bytes": 1_234_567, "recounted": 0}])
    engine.close()
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    assert main(["usage", *options, "--data-dir", str(folder)]) == 0
    return capsys.readouterr().out


def test_usage_is_listed_with_quotas(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [line.split() for line in run(capsys, folder).splitlines()] == [
        ["1,234,567", "bytes", "ingest", "(no", "quota)"],
        ["5", "bytes", "ann\\u001b[2J", "(no", "quota)"],
    ]
    monkeypatch.setenv("TAMS_QUOTA_STORED_BYTES", "10")
    (folder / "quotas.yaml").write_text("principals: {ingest: {stored_bytes: null}}")
    monkeypatch.setenv("TAMS_QUOTA_FILE", str(folder / "quotas.yaml"))
    assert "(50.0% of 10)" in run(capsys, folder)
    assert json.loads(run(capsys, folder, "--json"))[0] == {
        "principal": "ingest",
        "stored_bytes": 1_234_567,
        "quota": None,
    }


def test_a_catalogue_without_usage_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(Settings(data_dir=tmp_path, bootstrap_token="t"))
    assert run(capsys, tmp_path) == "no bytes are charged to anybody\n"
    assert json.loads(run(capsys, tmp_path, "--json")) == []


def test_an_invalid_quota_file_is_an_invalid_setting(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "quotas.yaml").write_text("principals: {ingest: {stored: 1}}")
    monkeypatch.setenv("TAMS_QUOTA_FILE", str(folder / "quotas.yaml"))
    assert main(["usage", "--data-dir", str(folder)]) == 2
    assert "principals.ingest.stored: must be one of uploads" in capsys.readouterr().err


@pytest.mark.parametrize(("verify", "warns"), [(False, True), (True, False)])
def test_a_server_warns_of_backends_whose_bytes_it_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, verify: bool, warns: bool
) -> None:
    monkeypatch.setenv("KEY", "k")
    (tmp_path / "backends.yaml").write_text(
        "backends: [{id: 0d1f3b5a-7c9e-4a1b-8c3d-5e7f9a1b3c5d, kind: s3, provider: p, store_product: q, region: r,"
        " endpoint: 'http://127.0.0.1:9', bucket: abc, credentials: {access_key_env: KEY, secret_key_env: KEY}}]"
    )
    settings = Settings(
        data_dir=tmp_path,
        bootstrap_token="t",
        storage_backends=tmp_path / "backends.yaml",
        quota_stored_bytes=5,
        verify_uploads=verify,
    )
    with caplog.at_level(logging.WARNING):
        prepare(settings)
    assert ("TAMS_QUOTA_STORED_BYTES does not count the bytes on 1 storage backends" in caplog.text) == warns
