"""A server that is started or asked for readiness while its database or its folder of media is not in its place."""

import json
import os
import shutil
from pathlib import Path

import pytest

from storage.errors import Unavailable
from storage.media.marker import FILE_NAME
from storage.tables.conditions import equals
from tams_server.settings import Settings, load_settings
from tams_server.wiring import Parts, open_parts, prepare
from tests.conformance.kit.documents import flow
from tests.unit.catalogs import BASE, CALLER

IDS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]


def _settings(folder: Path, **variables: str) -> Settings:
    return load_settings({"TAMS_DATA_DIR": str(folder), **variables}).settings


def _store_object(parts: Parts, storage_id: str | None = None) -> str:
    """Register an object with bytes, and return its storage backend id."""
    storage_id = storage_id or next(iter(parts.stores))
    document = flow()
    parts.catalog.flows.put(CALLER, document["id"], document)
    chosen = {"object_ids": [f"object of {storage_id}"], "storage_id": storage_id}
    parts.catalog.allocation.allocate(CALLER, document["id"], chosen, BASE)
    parts.stores[storage_id].write(f"object of {storage_id}", "video/mp2t", iter([b"bytes"]))
    segment = {"object_id": f"object of {storage_id}", "timerange": "[0:0_1:0)"}
    assert parts.catalog.segments.register(CALLER, document["id"], [segment]) == []
    return storage_id


def test_the_server_does_not_start_over_the_empty_folder_of_a_lost_mount(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    identity, _ = prepare(settings)
    storage_id = _store_object(open_parts(settings, identity))
    media = tmp_path / "media"
    shutil.rmtree(media)
    with pytest.raises(Unavailable, match="does not exist; is it mounted") as gone:
        prepare(settings)
    media.mkdir()
    with pytest.raises(Unavailable, match="no marker in its place; is it mounted") as empty:
        prepare(settings)
    for error in (gone, empty):
        assert str(media / FILE_NAME) in error.value.message
        assert storage_id in error.value.message
    (media / FILE_NAME).write_text(storage_id)
    prepare(settings)


def test_other_backends_work_while_the_mount_of_one_is_lost(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    entries = [
        {"id": id_, "kind": "files", "folder": str(folder), "default": id_ == IDS[0]}
        for id_, folder in zip(IDS, folders, strict=True)
    ]
    for folder in folders:
        folder.mkdir()
    file = tmp_path / "backends.yaml"
    file.write_text(json.dumps({"backends": entries}))
    settings = _settings(tmp_path / "data", TAMS_STORAGE_BACKENDS=str(file))
    identity, _ = prepare(settings)
    parts = open_parts(settings, identity)
    for id_ in IDS:
        _store_object(parts, id_)
    folders[1].rename(tmp_path / "unmounted")
    folders[1].mkdir()
    prepare(settings)
    for running in (parts, open_parts(settings, identity)):
        assert running.check_writable().keys() == {IDS[1]}
        assert running.stores[IDS[0]].stat(f"object of {IDS[0]}") is not None
        with pytest.raises(Unavailable, match="marker"):
            running.stores[IDS[1]].stat(f"object of {IDS[1]}")
    assert os.listdir(folders[1]) == []


def test_a_new_catalogue_is_refused_beside_the_media_of_another(tmp_path: Path) -> None:
    """The catalogue was lost, or is another one by mistake; the storage backends are those of before."""
    folder = tmp_path / "media"
    folder.mkdir()
    file = tmp_path / "backends.yaml"
    file.write_text(json.dumps({"backends": [{"id": IDS[0], "kind": "files", "folder": str(folder), "default": True}]}))
    settings = _settings(tmp_path / "data", TAMS_STORAGE_BACKENDS=str(file))
    identity, _ = prepare(settings)
    _store_object(open_parts(settings, identity))
    another = _settings(tmp_path / "another", TAMS_STORAGE_BACKENDS=str(file))
    with pytest.raises(Unavailable, match=f"belongs to the installation {identity.installation}") as caught:
        prepare(another)
    assert str(folder / FILE_NAME) in caught.value.message
    prepare(settings)


@pytest.mark.parametrize("expected", ["existing", "4f0d7a3e-52c1-4d8e-9a46-0c1be2d6a7f1"])
def test_no_installation_is_made_where_one_is_expected(tmp_path: Path, expected: str) -> None:
    """The mount of the whole data folder is lost: everything in it looks new."""
    for data in (tmp_path / "data", tmp_path):
        with pytest.raises(Unavailable, match=r"installation .*is expected"):
            prepare(_settings(data, TAMS_EXPECT_INSTALLATION=expected))
    assert list(tmp_path.iterdir()) == []


def test_the_expected_installation_is_started(tmp_path: Path) -> None:
    identity, _ = prepare(_settings(tmp_path))
    for expected in ("existing", identity.installation):
        assert prepare(_settings(tmp_path, TAMS_EXPECT_INSTALLATION=expected))[0] == identity
    with pytest.raises(Unavailable, match=f"this is that of the installation {identity.installation}"):
        prepare(_settings(tmp_path, TAMS_EXPECT_INSTALLATION="4f0d7a3e-52c1-4d8e-9a46-0c1be2d6a7f1"))


def test_readiness_ends_when_the_file_of_the_catalogue_is_removed(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    identity, _ = prepare(settings)
    parts = open_parts(settings, identity)
    assert parts.check_writable() == {}
    (tmp_path / "catalog.db").unlink()
    for process in (parts, open_parts(settings, identity)):
        with pytest.raises(Unavailable, match="removed"):
            process.check_writable()
    assert not (tmp_path / "catalog.db").exists()


def test_readiness_ends_when_the_catalogue_is_that_of_another_installation(tmp_path: Path) -> None:
    """Such as a PostgreSQL database that was restored from the wrong backup under the server."""
    settings = _settings(tmp_path)
    identity, _ = prepare(settings)
    parts = open_parts(settings, identity)
    parts.check_writable()
    with parts.engine.write() as tx:
        tx.update("service", equals(key="default_backend_id"), {"value": IDS[0]})
    with pytest.raises(Unavailable, match=f"{identity.installation} is expected, and this is .* {IDS[0]}"):
        parts.check_writable()


def test_readiness_makes_a_durable_change(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    identity, _ = prepare(settings)
    parts = open_parts(settings, identity)
    seen = []
    for _ in range(2):
        parts.check_writable()
        with parts.engine.read() as tx:
            row = tx.get("service", key="readiness")
        assert row is not None
        seen.append(row["value"])
    assert seen[0] < seen[1]


def test_readiness_ends_when_less_than_the_reserve_is_free(tmp_path: Path) -> None:
    settings = _settings(tmp_path, TAMS_FREE_SPACE_RESERVE=str(2**60))
    identity, _ = prepare(settings)
    parts = open_parts(settings, identity)
    document = flow()
    with pytest.raises(Unavailable, match="full"):
        parts.check_writable()
    with pytest.raises(Unavailable, match="full"):
        parts.catalog.flows.put(CALLER, document["id"], document)
    assert parts.catalog.service.get()["type"]
