"""Requests to an application in a child process without a network: their time, and the steps of SQLite."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.servers.child_process import killed_with_parent

TOKEN = "a-token-of-the-benchmark"
_SCRIPT = Path(__file__).with_name("probe_process.py")


@dataclass(frozen=True, slots=True)
class Answer:
    """The last response to a request, and what each performance took. steps: of SQLite, of all performances."""

    status: int
    headers: Mapping[str, str]
    body: str
    wall_ms: list[float]
    cpu_ms: list[float]
    steps: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Probe:
    """The application of a checkout over `folder`. settings: TAMS_* variables to add. token: of its requests."""

    def __init__(
        self, checkout: Path, folder: Path, settings: Mapping[str, str] | None = None, token: str = TOKEN
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAMS_")},
            **import_only_from(checkout),
            "TAMS_DATA_DIR": str(folder / "data"),
            "TAMS_BOOTSTRAP_TOKEN": TOKEN,
            "BENCHMARK_TOKEN": token,
            **(settings or {}),
        }
        self.database = environment.get("TAMS_DATABASE_URL") or f"sqlite:///{(folder / 'data').resolve()}/catalog.db"
        self._process = subprocess.Popen(
            killed_with_parent([sys.executable, str(_SCRIPT)]),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def perform(self, path: str, **command: Any) -> Answer:
        """Perform a GET, or what `command` says (probe_process.py). Raises RuntimeError unless it succeeds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"method": "GET", "path": path, **command}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of the benchmark exited with status {self._process.wait(30)}")
        answer = Answer(**json.loads(line))
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{path}: status {answer.status}: {answer.body[:500]}")
        return answer

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response, or None. Raises as `perform`."""
        answer = self.perform(path, method=method, body=body)
        return answer.json if answer.body else None

    def wall_ms(self, path: str) -> float:
        return self.perform(path).wall_ms[0]

    def __enter__(self) -> "Probe":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process.stdout.close()


def import_only_from(checkout: Path) -> dict[str, str]:
    """Environment variables with which Python imports the server from this checkout, whatever is installed."""
    return {"PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
