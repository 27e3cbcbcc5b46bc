"""The parts in which an upload to an S3 store is sent."""

from typing import Any

import pytest

from storage.media import s3_transfer
from storage.media.s3_transfer import S3Upload


class Parts:
    """A store that takes the parts of one upload."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        if operation == "upload_part":
            self.sizes.append(len(arguments["Body"]))
        return {"UploadId": "1", "ETag": '"0"'}


def test_parts_grow_and_the_buffer_is_that_of_the_part_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_transfer, "_SAME_SIZE_PARTS", 2)
    store: Any = Parts()
    upload = S3Upload(store, "key", "video/mp2t", part_bytes=4)
    held = [upload.buffer_bytes]
    for _ in range(40):
        upload.add(b"x")
        held.append(upload.buffer_bytes)
    upload.commit()
    assert store.sizes == [4, 4, 8, 8, 12, 4]
    assert held == [4] * 9 + [8] * 16 + [12] * 16
