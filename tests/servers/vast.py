"""An emulated VAST Database for tests (tests/vast_emulator), as a process that can be killed and restarted."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal, Self

from tests.servers.child_process import killed_with_parent

_STOP_S = 20.0


class VastServer:
    """One emulated cluster. `kill` and `start` keep the committed data, which are in `folder`.

    conflicts: when a transaction fails whose row another has changed. idle_s: seconds after which it rolls back what a
    client that was killed has begun.
    The process is killed at the latest when the thread that started it ends.
    """

    def __init__(
        self, folder: Path, conflicts: Literal["statement", "commit"] = "statement", *, idle_s: float = 30
    ) -> None:
        self.folder = folder
        self._idle_s = idle_s
        self._conflicts = conflicts
        self._origin = ""
        self._process: subprocess.Popen[str] | None = None

    def url(self, schema: str) -> str:
        """The URL of a schema, for TAMS_DATABASE_URL. The server under test creates the schema."""
        return f"{self._origin}/{schema}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, or restart on the same port with the same data, and wait until it is ready. Raises RuntimeError."""
        port = self._origin.rpartition(":")[2].partition("/")[0] or "0"
        options = ["--data", str(self.folder), "--port", port, "--conflicts", self._conflicts]
        options += ["--idle", str(self._idle_s)]
        command = killed_with_parent([sys.executable, "-m", "tests.vast_emulator", *options])
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            start_new_session=True,  # Ctrl-C must reach the process that uses it first.
        )
        assert self._process.stdout is not None
        name, _, url = self._process.stdout.readline().strip().partition("=")
        if name != "TAMS_DATABASE_URL":
            raise RuntimeError(f"the emulated VAST Database exited with status {self._process.wait()}")
        self._origin = url.rpartition("/")[0]

    def pause(self) -> None:
        """Make it hang: it accepts connections but sends no response until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL)
        process.wait(_STOP_S)
        assert process.stdout is not None
        process.stdout.close()
