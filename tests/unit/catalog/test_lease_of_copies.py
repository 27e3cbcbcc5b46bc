"""The lease of a copy that a request makes: it is renewed even while a single step takes longer than the lease."""

from pathlib import Path

import pytest

from storage.catalog import Limits
from storage.media.filesystem import FileStore
from storage.media.object_store import ObjectStore
from tests.conformance.kit.polling import wait_until
from tests.unit.catalogs import CALLER, SECOND_BACKEND, open_world


def test_a_copy_in_one_long_step_keeps_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_world(tmp_path, Limits(job_lease_s=1)) as world:
        flow_id = world.make_flow()
        world.add_object(flow_id, "a")

        def slow_copy(self: FileStore, other: ObjectStore, name: str, source_name: str | None = None) -> bool:
            (before,) = world.rows("jobs")
            world.clock.forward(0.9)
            wait_until(lambda: world.rows("jobs")[0]["due"] > before["due"], "the renewal of the lease", timeout_s=10)
            world.clock.forward(0.9)
            assert world.claim("copy") == []
            return False

        monkeypatch.setattr(FileStore, "copy_from", slow_copy)
        world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
        assert world.has_bytes("a", SECOND_BACKEND)
        assert world.rows("jobs") == []
