"""What one process has read of media for players."""

from storage.catalog.environment import Environment
from storage.catalog.playback.key_frames import KeyFrames
from storage.catalog.playback.measurements import Measurements
from storage.catalog.playback.object_parts import ObjectParts
from storage.catalog.playback.turns import Turns


class Readings:
    """Measurements of flows, key frames, and parts of objects, each kept for a while."""

    def __init__(self, env: Environment) -> None:
        self.measurements = Measurements(env)
        turns = Turns()
        self.key_frames = KeyFrames(env, turns)
        self.parts = ObjectParts(env, self.key_frames, turns)
