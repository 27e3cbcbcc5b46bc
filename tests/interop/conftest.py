"""Fixtures: one clip for the whole session, its segments, and servers."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kit.server import own_server
from tests.servers.stores import MEDIA, running

from .demo import clip as clips
from .demo import segmenting
from .demo.client import Tams
from .demo.server import DemoServer

SECONDS = 30


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> clips.Clip:
    """The demo's clip in full length. Encoded once, by the first of the parallel test processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "clip.mp4"
    with (folder / "clip.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            clips.make(unfinished, SECONDS)
            unfinished.rename(path)
    return clips.Clip(path, SECONDS * clips.FRAME_RATE)


@pytest.fixture(scope="session")
def video(clip: clips.Clip) -> segmenting.Essence:
    """The clip's video, cut into segments."""
    return segmenting.cut_video(clip)


@pytest.fixture(scope="session")
def audio(clip: clips.Clip) -> segmenting.Essence:
    """The clip's audio, cut into segments."""
    return segmenting.cut_audio(clip)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """This project's server, running."""
    folder: Path = tmp_path_factory.mktemp("server")
    with DemoServer(folder) as running:
        yield running


@pytest.fixture(scope="session", params=MEDIA)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tams]:
    """A client of this project's server, with its media in a folder, then on S3. `--store` sets the catalogue."""
    folder: Path = tmp_path_factory.mktemp("service")
    with (
        running(request.config.getoption("--store"), request.param) as stores,
        own_server(folder, stores.settings(folder)) as subject,
        Tams(subject.url, subject.token) as client,
    ):
        yield client
