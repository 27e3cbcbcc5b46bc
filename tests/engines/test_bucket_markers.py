"""A bucket that is lost, replaced by an empty one, or was used by an earlier release."""

from collections.abc import Callable

import pytest

from storage.errors import NotFound, Unavailable
from storage.media.marker import KEY, Owner, UnknownPlace
from storage.media.s3 import S3Store
from tests.engines.object_stores import TYPE, read, s3_store, write
from tests.servers.seaweed import SeaweedServer, shared_server

PREFIX = "media/"
CHANGES: list[Callable[[S3Store], object]] = [
    lambda store: store.upload_requests(["new"], TYPE, presigned=True, base_url=""),
    lambda store: store.write("new", TYPE, iter([b"new"])),
    lambda store: list(store.object_ids()),
    S3Store.check,
]
READS: list[Callable[[S3Store], object]] = [lambda store: store.stat("object"), lambda store: store.open("object")]


@pytest.fixture(scope="module")
def server() -> SeaweedServer:
    return shared_server()


@pytest.fixture
def bucket(server: SeaweedServer) -> str:
    return server.new_bucket()


def _store(server: SeaweedServer, bucket: str, like: S3Store | None = None, *, used: bool = False) -> S3Store:
    """A store in this bucket. like: one of the same backend."""
    store = s3_store(server, bucket, PREFIX, owner=Owner(lambda: used))
    return store if like is None else _with_id(server, bucket, like, used)


def _with_id(server: SeaweedServer, bucket: str, like: S3Store, used: bool) -> S3Store:
    return S3Store(
        like.backend,
        s3_store(server, bucket, PREFIX)._bucket,
        like._connection._source,
        upload_timeout_s=300,
        download_timeout_s=600,
        owner=Owner(lambda: used),
    )


def test_the_first_use_writes_a_marker_that_is_no_object(server: SeaweedServer, bucket: str) -> None:
    store = _store(server, bucket)
    store.check()
    marker = store._connection.call("get_object", Key=PREFIX + KEY)["Body"].read()
    assert marker.decode().strip() == store.backend.id
    assert list(store.object_ids()) == []
    write(store, "object")
    assert list(store.object_ids()) == ["object"]


@pytest.mark.parametrize("use", [*CHANGES, *READS])
def test_another_empty_bucket_is_an_outage_after_a_restart(
    server: SeaweedServer, bucket: str, use: Callable[[S3Store], object]
) -> None:
    store = _store(server, bucket, used=True)
    with pytest.raises(UnknownPlace, match="no marker"):
        use(store)
    assert list(store._entries("list_objects_v2", "Contents")) == []


@pytest.mark.parametrize("use", [*CHANGES, *READS])
def test_the_bucket_of_another_backend_is_an_outage(
    server: SeaweedServer, bucket: str, use: Callable[[S3Store], object]
) -> None:
    _store(server, bucket).check()
    with pytest.raises(UnknownPlace, match="another storage backend"):
        use(_store(server, bucket, used=True))


@pytest.mark.parametrize("use", [*CHANGES, *READS])
def test_a_bucket_that_is_emptied_under_the_server_is_an_outage_from_the_next_check_on(
    server: SeaweedServer, bucket: str, use: Callable[[S3Store], object]
) -> None:
    store = _store(server, bucket, used=True)
    _store(server, bucket, store).check()
    store.check()
    write(store, "object")
    for key in (PREFIX + KEY, f"{PREFIX}object"):
        store._connection.call("delete_object", Key=key)
    with pytest.raises(UnknownPlace):
        store.check()
    with pytest.raises(UnknownPlace):
        use(store)


def test_a_bucket_is_checked_again_before_writes(server: SeaweedServer, bucket: str) -> None:
    """Nobody may have asked for readiness meanwhile."""
    store = _store(server, bucket, used=True)
    other = _store(server, bucket, store)
    other.check()
    clock = Clock()
    assert store._marker is not None
    store._marker._clock = clock
    CHANGES[0](store)
    store._connection.call("delete_object", Key=PREFIX + KEY)
    CHANGES[0](store)
    clock.now += 61
    with pytest.raises(UnknownPlace):
        CHANGES[0](store)


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


def test_a_bucket_of_an_earlier_release_is_marked(server: SeaweedServer, bucket: str) -> None:
    earlier = s3_store(server, bucket, PREFIX)
    write(earlier, "object")
    store = _with_id(server, bucket, earlier, used=True)
    store.check()
    assert read(store, "object") == b"bytes"
    with pytest.raises(UnknownPlace):
        _store(server, bucket).check()


def test_an_object_that_is_missing_is_no_outage(server: SeaweedServer, bucket: str) -> None:
    store = _store(server, bucket)
    store.check()
    assert store.stat("never stored") is None
    with pytest.raises(NotFound):
        store.open("never stored")


def test_urls_are_made_while_the_bucket_does_not_respond(server: SeaweedServer) -> None:
    store = _store(server, "no-such-bucket")
    assert store.upload_requests(["new"], TYPE, presigned=True, base_url="")
    with pytest.raises(Unavailable):
        store.check()
