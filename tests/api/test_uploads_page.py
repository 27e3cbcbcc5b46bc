"""The commands of docs/uploads.md work as written (F7)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.api.in_process import TOKEN, serving

PAGE = (Path(__file__).parents[2] / "docs" / "uploads.md").read_text()


def block(title: str, language: str, url: str) -> str:
    [found] = re.findall(rf"<!-- tested: {title} -->\n```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found).replace("http://localhost:4010", url)


def test_uploads_by_copy_and_paste(tmp_path: Path) -> None:
    clip = os.urandom(100_000)
    (tmp_path / "clip.ts").write_bytes(clip)
    with serving(tmp_path / "server") as server:
        for command in (
            ["bash", "-e", "-c", block("upload", "sh", server.url)],
            [sys.executable, "-c", block("python", "python", server.url)],
        ):
            environment = {**os.environ, "TOKEN": TOKEN}
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"{server.url}/objects/" in done.stdout
            assert "201" in done.stdout
        flow_id = re.search(r"FLOW=(\S+)", PAGE)
        assert flow_id is not None
        items = server.client.get(f"/flows/{flow_id[1]}/segments?presigned=true").json()
        assert [item["timerange"] for item in items] == ["[0:0_2:0)", "[2:0_4:0)"]
        assert [httpx.get(item["get_urls"][0]["url"]).content for item in items] == [clip, clip]
