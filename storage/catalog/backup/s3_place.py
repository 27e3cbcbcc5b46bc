"""Backups in an S3 bucket: one key for each file, `<prefix>/<name>/<path>`, and that of the manifest last.

Access is configured as for AWS's own tools: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL and so on.
"""

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.catalog.backup.manifest import MANIFEST, Manifest, is_name, name_suffix
from storage.catalog.backup.place import Place
from storage.errors import Invalid, Unavailable

_log = logging.getLogger(__name__)

_ABANDONED_AFTER = timedelta(days=1)
"""A backup without a manifest is taken for interrupted if nothing was added to it for so long."""
_PER_REMOVAL = 1000


class S3Place(Place):
    """url: `s3://bucket` or `s3://bucket/prefix`. Raises ValueError for any other."""

    def __init__(self, url: str) -> None:
        parsed = urlsplit(url)
        if parsed.scheme != "s3" or not parsed.netloc or parsed.query or parsed.fragment:
            raise ValueError(f"the address of a backup must be a folder or s3://bucket/prefix, not {url!r}")
        self._bucket = parsed.netloc
        prefix = parsed.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.address = url
        with self._errors_translated():
            self._client: Any = boto3.client("s3", config=Config(retries={"mode": "standard"}))

    def backups(self) -> list[Manifest]:
        return self._find()[0]

    def damaged(self) -> list[str]:
        return self._find()[1]

    def _find(self) -> tuple[list[Manifest], list[str]]:
        found, damaged = [], []
        with self._errors_translated():
            for name in self._names():
                try:
                    manifest = Manifest.from_json(self._read(f"{name}/{MANIFEST}"))
                    if manifest.name != name:
                        raise Invalid(f"its manifest names {manifest.name}")
                except self._client.exceptions.NoSuchKey:
                    continue  # interrupted, or running
                except Invalid as error:
                    _log.warning("%s/%s is not a complete backup: %s", self.address, name, error)
                    damaged.append(name)
                    continue
                found.append(manifest)
        return found, damaged

    @contextlib.contextmanager
    def adding(self, installation: str) -> Iterator[Path]:
        with self._errors_translated():
            for name in self._names():
                if name.endswith(f"-{name_suffix(installation)}") and self._is_abandoned(name):
                    _log.info("removing the incomplete backup %s/%s", self.address, name)
                    self._remove_all(name)
        with _temporary_folder() as folder:
            yield folder

    def publish(self, folder: Path, manifest: Manifest) -> None:
        with self._errors_translated():
            for path in manifest.files:
                self._client.upload_file(str(folder / path), self._bucket, self._key(f"{manifest.name}/{path}"))
            key = self._key(f"{manifest.name}/{MANIFEST}")
            self._client.put_object(Bucket=self._bucket, Key=key, Body=manifest.to_json())

    def path_of(self, manifest: Manifest) -> Path | None:
        return None

    @contextlib.contextmanager
    def reading(self, manifest: Manifest) -> Iterator[Path]:
        with _temporary_folder() as folder:
            with self._errors_translated():
                for path in manifest.files:
                    (folder / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    key = self._key(f"{manifest.name}/{path}")
                    self._client.download_file(self._bucket, key, str(folder / path))
            yield folder

    def remove(self, manifest: Manifest) -> None:
        with self._errors_translated():
            self._client.delete_object(Bucket=self._bucket, Key=self._key(f"{manifest.name}/{MANIFEST}"))
            self._remove_all(manifest.name)

    def _names(self) -> list[str]:
        """What looks like the names of backups, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
        )
        prefixes = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        return sorted(filter(is_name, (prefix.removeprefix(self._prefix).rstrip("/") for prefix in prefixes)))

    def _objects(self, name: str) -> list[Any]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._key(f"{name}/")
        )
        return [each for page in pages for each in page.get("Contents", ())]

    def _is_abandoned(self, name: str) -> bool:
        objects = self._objects(name)
        keys = {each["Key"] for each in objects}
        newest = max((each["LastModified"] for each in objects), default=datetime.min.replace(tzinfo=UTC))
        return self._key(f"{name}/{MANIFEST}") not in keys and datetime.now(UTC) - newest > _ABANDONED_AFTER

    def _remove_all(self, name: str) -> None:
        keys = [{"Key": each["Key"]} for each in self._objects(name)]
        for start in range(0, len(keys), _PER_REMOVAL):
            chunk = keys[start : start + _PER_REMOVAL]
            response = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": chunk, "Quiet": True})
            for error in response.get("Errors", ()):
                _log.warning("%s cannot be removed: %s", error.get("Key"), error.get("Message"))

    def _key(self, path: str) -> str:
        return self._prefix + path

    def _read(self, path: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._key(path))["Body"].read()
        return content

    @contextlib.contextmanager
    def _errors_translated(self) -> Iterator[None]:
        """Raise storage.errors.Unavailable instead of the errors of boto3."""
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise Unavailable(f"{self.address} cannot be used: {error}") from error


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="tams-backup-") as folder:
        yield Path(folder)
