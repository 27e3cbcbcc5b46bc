"""Requests of S3 stores: their credentials, independence of AWS configuration, and forked processes."""

import os
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from storage.errors import Unavailable
from storage.media.s3 import S3Store
from storage.media.s3_credentials import FileCredentials
from tests.engines.object_stores import (
    TIMEOUTS,
    get_url,
    new_backend,
    read,
    write,
)
from tests.servers.seaweed import SeaweedServer


def test_replaced_credentials_are_used_immediately(server: SeaweedServer, store: S3Store, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    form = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    path.write_text(form.format(server.access_key, "wrong"))
    now = 0.0
    source = FileCredentials(path, clock=lambda: now)
    rotating = S3Store(new_backend("s3"), store._bucket, source, **TIMEOUTS)
    with pytest.raises(Unavailable):
        write(rotating, "object")
    path.write_text(form.format(server.access_key, server.secret_key))
    now += 1
    assert write(rotating, "object") == read(rotating, "object")
    assert httpx.get(get_url(rotating, "object")).content == b"bytes"


def test_the_configuration_of_aws_tools_has_no_influence(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\ns3 =\n  addressing_style = virtual\nendpoint_url = http://127.0.0.1:9\n[broken")
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_REGION": "eu-nowhere-1",
        "AWS_DEFAULT_REGION": "eu-nowhere-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "nonsense",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
    }.items():
        monkeypatch.setenv(name, value)
    assert write(store, "object") == read(store, "object")
    assert list(store.object_ids()) == ["object"]


def test_a_forked_process_opens_its_own_connections(store: S3Store) -> None:
    data = write(store, "object", os.urandom(100_000))
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.write(write_end, b"same" if read(store, "object") == data else b"other")
        os._exit(0)
    os.close(write_end)
    for _ in range(20):
        assert read(store, "object") == data
    os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as outcome:
        assert outcome.read() == b"same"
