"""The Prism mock server, which answers with the examples of an OpenAPI document. It needs Node.js and npm."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.served import Served, running_server
from tests.conformance.kit.server import free_port

_PACKAGE = "@stoplight/prism-cli"
_INSTALL_S = 600


class PrismMissing(Exception):
    """Prism cannot be run here; the message says why, and what to do about it."""


@contextmanager
def prism(document: str, tools: Path, folder: Path, say: Callable[[str], None]) -> Iterator[Served]:
    """Run Prism over an OpenAPI document. tools: where it is, or will be installed. Raises: PrismMissing."""
    script = tools / "node_modules" / _PACKAGE / "dist" / "index.js"
    node = shutil.which("node")
    if node is None or (not script.exists() and not _install(tools, say)):
        raise PrismMissing(f"needs Node.js, and `npm install --prefix {tools} {_PACKAGE}`")
    file = folder / "openapi.yaml"
    file.write_text(document)
    port = free_port()
    options = ["mock", str(file), "--host", "127.0.0.1", "--port", str(port), "--verboseLevel", "silent"]
    with running_server([node, str(script), *options], port) as served:
        served.token = "any"
        yield served


def _install(tools: Path, say: Callable[[str], None]) -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    say(f"npm install {_PACKAGE}")
    tools.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(tools), _PACKAGE]
    return subprocess.run(command, capture_output=True, timeout=_INSTALL_S, check=False).returncode == 0
