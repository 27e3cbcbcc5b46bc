"""Whatever a server or a command creates belongs to its user alone, even if the umask would let others in."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conformance.kit.documents import flow
from tests.faults.server_process import ServerProcess


def modes(folder: Path) -> dict[str, str]:
    """The modes of a folder and all that is in it."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "file"
        found[str(path.relative_to(folder.parent))] = f"{kind} {stat.S_IMODE(status.st_mode):o}"
    return found


def run(data: Path, *command: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tams_server", *command, "--data-dir", str(data)],
        check=True,
        capture_output=True,
        timeout=60,
        umask=0,
    )


def test_files_belong_to_their_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with ServerProcess(tmp_path / "server") as server:
            data = server.folder / "data"
            with server.client() as http:
                document = flow()
                http.put(f"/flows/{document['id']}", json=document).raise_for_status()
                body = http.post(f"/flows/{document['id']}/storage", json={"limit": 1}).raise_for_status().json()
                put_url = body["media_objects"][0]["put_url"]
                headers = {"Content-Type": put_url["content-type"]}
                httpx.put(put_url["url"], content=b"bytes", headers=headers).raise_for_status()
            running = modes(data)
            run(data, "backup", str(tmp_path / "backups"), "--media")
            run(data, "export", str(tmp_path / "export"))
    finally:
        os.umask(umask)
    assert any("objects" in path for path in running)
    assert any(path.endswith("-wal") for path in running)
    for folder in (data, tmp_path / "backups", tmp_path / "export"):
        assert set((modes(folder) | (running if folder == data else {})).values()) <= {"folder 700", "file 600"}
