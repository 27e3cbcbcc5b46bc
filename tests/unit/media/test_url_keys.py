"""Keys that sign URLs change while a process runs."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.errors import Forbidden, Unavailable
from storage.media.object_store import AllocationTerm
from storage.media.signing import UrlSigner
from storage.media.url_keys import RENEW_S, STALE_S, WAIT_S, UrlKey, UrlKeys

OLD, NEW = b"o" * 16, b"n" * 16
PATH = "/media/backend/object"


class Catalogue:
    """What the keys are read from, with a clock that tests move."""

    def __init__(self) -> None:
        self.keys: Sequence[UrlKey] = [UrlKey(OLD)]
        self.reads = 0
        self.reachable = True
        self.now = 1_000_000.0
        self.background: list[Callable[[], None]] = []

    def finish(self) -> None:
        """Do what processes have started in the background."""
        while self.background:
            self.background.pop()()

    def read(self) -> Sequence[UrlKey]:
        self.reads += 1
        if not self.reachable:
            raise Unavailable("down")
        return self.keys

    def clock(self) -> float:
        return self.now

    def process(self) -> UrlKeys:
        return UrlKeys(self.keys, self.read, self.clock, self.clock, start=self.background.append)


def query_of(keys: UrlKeys, catalogue: Catalogue) -> str:
    signer = UrlSigner(keys, catalogue.clock)
    return signer.signer("GET", signer.expiry(3600))(PATH)


def is_accepted(keys: UrlKeys, catalogue: Catalogue, query: str) -> bool:
    if keys.need_renewal():
        keys.renew()
    catalogue.finish()
    try:
        UrlSigner(keys, catalogue.clock).check("GET", PATH, query)
    except Forbidden:
        return False
    return True


def rotated(catalogue: Catalogue) -> list[UrlKey]:
    """The keys of a catalogue in which a new one signs from five seconds later on."""
    start = int(catalogue.now) + 5
    return [UrlKey(OLD, 0, start + 4000), UrlKey(NEW, start)]


def test_keys_are_read_at_most_once_in_some_seconds_and_beside_requests() -> None:
    catalogue = Catalogue()
    keys = catalogue.process()
    for _ in range(100):
        keys.signing()
    assert catalogue.reads == 1
    catalogue.now += RENEW_S + 0.1
    keys.signing()
    assert catalogue.reads == 1
    catalogue.finish()
    for _ in range(100):
        keys.signing()
        assert not keys.need_renewal()
    assert (catalogue.reads, catalogue.background) == (2, [])
    catalogue.now += WAIT_S + 0.1
    keys.signing()
    assert (catalogue.reads, catalogue.background) == (3, [])


def test_a_new_key_is_accepted_by_every_process_before_one_signs_with_it() -> None:
    catalogue = Catalogue()
    one, other = catalogue.process(), catalogue.process()
    before = query_of(one, catalogue)
    assert is_accepted(other, catalogue, before)
    catalogue.keys = rotated(catalogue)
    signed_with = set()
    for _ in range(100):
        catalogue.now += 0.1
        query = query_of(one, catalogue)
        signed_with.add(one.signing().id)
        assert is_accepted(other, catalogue, query)
        assert is_accepted(other, catalogue, before)
    assert signed_with == {UrlKey(OLD).id, UrlKey(NEW).id}
    assert one.signing().secret == NEW


def test_the_former_key_is_accepted_until_its_last_url_has_expired() -> None:
    catalogue = Catalogue()
    keys = catalogue.process()
    old = UrlSigner(OLD, lambda: catalogue.now + 10_000)
    query = old.signer("GET", old.expiry(3600))(PATH)
    catalogue.keys = rotated(catalogue)
    catalogue.now += 4004
    assert is_accepted(keys, catalogue, query)
    catalogue.now += 1
    assert not is_accepted(keys, catalogue, query)


def test_revoked_keys_are_rejected_after_idle_hours_too() -> None:
    catalogue = Catalogue()
    keys = catalogue.process()
    query = query_of(keys, catalogue)
    catalogue.keys = [UrlKey(NEW, int(catalogue.now))]
    catalogue.now += 3000
    assert not is_accepted(keys, catalogue, query)


def test_in_an_outage_urls_stay_valid_and_nothing_is_signed_with_keys_that_may_be_wrong() -> None:
    catalogue = Catalogue()
    keys = catalogue.process()
    query = query_of(keys, catalogue)
    catalogue.reachable = False
    catalogue.now += RENEW_S + 1
    assert is_accepted(keys, catalogue, query)
    assert keys.signing().secret == OLD
    catalogue.now += STALE_S
    assert is_accepted(keys, catalogue, query)
    with pytest.raises(Unavailable):
        keys.signing()
    catalogue.reachable = True
    catalogue.now += WAIT_S + 1
    assert keys.signing().secret == OLD


def test_uploads_are_signed_with_the_key_of_now() -> None:
    catalogue = Catalogue()
    keys = catalogue.process()
    signer = UrlSigner(keys, catalogue.clock)
    catalogue.keys = [UrlKey(NEW, int(catalogue.now))]
    query = signer.upload_signer(60, "video/mp2t", AllocationTerm(1, 600))(PATH)
    assert UrlSigner(NEW, catalogue.clock).check("PUT", PATH, query) == "video/mp2t"


def test_requests_at_once_after_an_idle_minute_wait_for_the_keys_that_one_of_them_reads() -> None:
    catalogue = Catalogue()
    reading, waiting = threading.Event(), threading.Event()

    def read_slowly() -> Sequence[UrlKey]:
        reading.set()
        assert waiting.wait(10)
        return catalogue.read()

    keys = UrlKeys(catalogue.keys, read_slowly, catalogue.clock, catalogue.clock)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(keys.signing)
        assert reading.wait(10)
        second = pool.submit(keys.signing)
        with pytest.raises(TimeoutError):
            second.result(0.05)
        waiting.set()
        assert first.result(10) == second.result(10) == UrlKey(OLD)
    assert catalogue.reads == 1


def test_a_key_does_not_show_its_secret() -> None:
    key = UrlKey(OLD)
    assert "oooo" not in repr(key) + key.id
    with pytest.raises(ValueError, match="at least 16 bytes"):
        UrlKey(b"short")
