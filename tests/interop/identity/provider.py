"""Installs and runs `oidc-provider`, an OpenID provider for Node.js."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.servers.child_process import killed_with_parent

HERE = Path(__file__).parent
FOLDER = HERE.parents[2] / "build" / "identity-provider"
COMMAND = "npm ci --ignore-scripts"
SECRET = "a secret of the client that ingests"
_FILES = ("package.json", "package-lock.json", "provider.mjs")
_INSTALL_S = 120


def installed_provider() -> Path:
    """Return the folder of the provider, after installing it where it is missing. Skips the test if that fails."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip(f"Node.js and npm are missing, so that oidc-provider cannot be installed ({COMMAND} in {HERE})")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = any(not (FOLDER / name).exists() or _differs(name) for name in _FILES[:2])
        for name in _FILES:
            if not (FOLDER / name).exists() or _differs(name):
                shutil.copy(HERE / name, FOLDER / name)
        if is_new or not (FOLDER / "node_modules" / ".package-lock.json").exists():
            done = subprocess.run(
                [*COMMAND.split(), "--no-audit", "--no-fund"],
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
            )
            if done.returncode:
                (FOLDER / "package.json").unlink()
                pytest.skip(f"oidc-provider cannot be installed here ({COMMAND} in {HERE}): {done.stderr[-300:]}")
    return FOLDER


def _differs(name: str) -> bool:
    return (HERE / name).read_bytes() != (FOLDER / name).read_bytes()


def new_key(kid: str, algorithm: str) -> dict[str, Any]:
    """Return a private JSON Web Key."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm == "ES256":
        return dict(ECKey.generate_key("P-256", parameters).as_dict(private=True))
    if algorithm == "EdDSA":
        return dict(OKPKey.generate_key("Ed25519", parameters).as_dict(private=True))
    return dict(RSAKey.generate_key(2048, parameters).as_dict(private=True))


@contextmanager
def running_provider(port: int, keys: Sequence[dict[str, Any]], algorithm: str, **options: Any) -> Iterator[str]:
    """Run the provider until the block ends. Yields its URL. keys: the first one for `algorithm` signs.

    options: of provider.mjs.
    """
    given = json.dumps({"port": port, "keys": list(keys), "algorithm": algorithm, **options})
    folder = installed_provider()
    process = subprocess.Popen(
        killed_with_parent([str(shutil.which("node")), "provider.mjs", given]),
        cwd=folder,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any(line.strip() == "ready" for line in process.stdout), "oidc-provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def client_token(issuer: str, scope: str) -> str:
    """Fetch a token of the client that ingests, which encodes its secret as RFC 6749 has it."""
    form = {"grant_type": "client_credentials", "scope": scope}
    response = httpx.post(f"{issuer}/token", data=form, auth=("ingest", quote(SECRET)), timeout=10)
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])
