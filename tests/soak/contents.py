"""What a server has in its catalogue and its storage backends, counted behind its back."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import yaml

from storage.tables import open_engine
from storage.tables.schema import TABLES
from tests.faults.server_process import ServerProcess

IN_USE = "objects in use"
_MARKERS = ("tams-backend", "!tams-backend")


def count_rows(server: ServerProcess, tables: Sequence[str] = (*TABLES, IN_USE)) -> dict[str, int]:
    """The number of rows of each of these tables. IN_USE: of the objects that do not expire."""
    database = server.settings.get("TAMS_DATABASE_URL") or server.folder / "data" / "catalog.db"
    with closing(open_engine(database)) as engine, engine.read() as tx:
        counts = {name: len(tx.select(name, columns=list(TABLES[name].key))) for name in tables if name != IN_USE}
        if IN_USE in tables:
            counts[IN_USE] = sum(row["expires"] is None for row in tx.select("objects", columns=["expires"]))
    return counts


def stored_names(server: ServerProcess) -> list[str]:
    """The names of all files and objects in the storage backends, without their markers."""
    names = []
    for backend in yaml.safe_load(Path(server.settings["TAMS_STORAGE_BACKENDS"]).read_text())["backends"]:
        names += _keys(backend, server.settings) if backend["kind"] == "s3" else _files(Path(backend["folder"]))
    return [name for name in names if name.rpartition("/")[2] not in _MARKERS]


def check_output(server: ServerProcess) -> str:
    """What `tams-server check` finds wrong; empty if nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    done = subprocess.run(
        [sys.executable, "-m", "tams_server", "check", "--data-dir", str(server.folder / "data")],
        env=environment | server.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}".strip()


def _files(folder: Path) -> list[str]:
    return [str(Path(where, name).relative_to(folder)) for where, _, names in os.walk(folder) for name in names]


def _keys(backend: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    names = backend["credentials"]
    client = boto3.client(
        "s3",
        endpoint_url=backend["endpoint"],
        region_name=backend["region"],
        aws_access_key_id=variables[names["access_key_env"]],
        aws_secret_access_key=variables[names["secret_key_env"]],
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=backend["bucket"], Prefix=backend["prefix"])
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
