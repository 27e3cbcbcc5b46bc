"""The fixtures of the engines' suite: a catalogue on each kind of database."""

from tests.engines.conftest import (
    emulator,
    engine,
    engine_url,
    new_postgres_url,
    new_vast_url,
    postgres,
    postgres_url,
    vast_emulators,
)

__all__ = [
    "emulator",
    "engine",
    "engine_url",
    "new_postgres_url",
    "new_vast_url",
    "postgres",
    "postgres_url",
    "vast_emulators",
]
