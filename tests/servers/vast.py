"""An emulated VAST Database for tests (tests/vast_emulator), as a process that can be killed and started again."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal, Self

from tests.servers.bound import bound

_STOP_S = 20.0


class VastServer:
    """One emulated cluster; what is committed is kept in `folder` and outlives `kill` and the next `start`.

    conflicts: where a transaction learns that another has written its row. It ends with the thread that starts it, at
    the latest.
    """

    def __init__(self, folder: Path, conflicts: Literal["statement", "commit"] = "statement") -> None:
        self.folder = folder
        self._conflicts = conflicts
        self._origin = ""
        self._process: subprocess.Popen[str] | None = None

    def url(self, schema: str) -> str:
        """Of a schema on this cluster, for TAMS_DATABASE_URL; the server makes it."""
        return f"{self._origin}/{schema}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, or start again on the same port and data, and return when it answers. Raises RuntimeError."""
        port = self._origin.rpartition(":")[2].partition("/")[0] or "0"
        options = ["--data", str(self.folder), "--port", port, "--conflicts", self._conflicts]
        command = bound([sys.executable, "-m", "tests.vast_emulator", *options])
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            start_new_session=True,  # Ctrl-C is for its user first.
        )
        assert self._process.stdout is not None
        name, _, url = self._process.stdout.readline().strip().partition("=")
        if name != "TAMS_DATABASE_URL":
            raise RuntimeError(f"the emulated VAST Database ended with {self._process.wait()}")
        self._origin = url.rpartition("/")[0]

    def freeze(self) -> None:
        """Have it answer nothing, and keep its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL)
        process.wait(_STOP_S)
        assert process.stdout is not None
        process.stdout.close()
