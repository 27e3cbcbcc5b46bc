"""An export is checked before it takes the place of a file (F21)."""

from pathlib import Path
from typing import Any

import av
import pytest

from tams_server.client_media import export_file, export_wav, output_file

from .conftest import Tams


@pytest.mark.parametrize("name", ["out.mp4", "out.wav"])
def test_a_file_that_fails_its_check_replaces_none(
    name: str, tams: Tams, h264: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tams.ingest(h264)
    out = tmp_path / name
    out.write_bytes(b"what was there")

    def damaged(path: str, *rest: Any) -> None:
        Path(path).write_bytes(Path(path).read_bytes()[:40])
        output_file.verify(path, *rest)

    monkeypatch.setattr(export_file, "verify", damaged)
    monkeypatch.setattr(export_wav, "verify", damaged)
    tams.run("export", ids["multi"], out, "--force", status=1)
    assert f"{out}" in tams.err
    assert out.read_bytes() == b"what was there"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_sound_that_is_lost_on_the_way_is_noticed(
    tams: Tams, h264: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tams.ingest(h264)

    def silent(path: str, *rest: Any) -> None:
        with av.open(path) as source, av.open(f"{path}.mp4", "w") as output:
            tracks = [output.add_stream_from_template(each) for each in source.streams]
            for packet in source.demux():
                if packet.size and (packet.stream.type == "video" or (packet.pts or 0) < 24000):
                    packet.stream = tracks[packet.stream_index]
                    output.mux(packet)
        Path(f"{path}.mp4").replace(path)
        output_file.verify(path, *rest)

    monkeypatch.setattr(export_file, "verify", silent)
    tams.run("export", ids["multi"], tmp_path / "out.mp4", status=1)
    assert "frames of audio instead of" in tams.err
