"""docs/operations.md: the drill of backup and restore, and the rotation of keys, by the commands that stand there."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.faults.server_process import ServerProcess

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
SEGMENTS = 12


def block(title: str) -> str:
    [found] = re.findall(rf"<!-- tested: {title} -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def run(title: str, folder: Path, settings: Mapping[str, str]) -> str:
    """Run the commands of the page with /srv in `folder`. Returns the output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    environment |= {**settings, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = block(title).replace("/srv/", f"{folder}/")
    done = subprocess.run(
        ["bash", "-e", "-c", script], env=environment, cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "server", {"TAMS_WORKERS": "2"}) as server:
        yield server


def ingest(http: httpx.Client) -> dict[str, bytes]:
    """Upload and register segments. Returns their bytes by object id."""
    document = flow()
    path = f"/flows/{document['id']}"
    http.put(path, json=document).raise_for_status()
    allocated = http.post(f"{path}/storage", json={"limit": SEGMENTS}).raise_for_status().json()["media_objects"]
    made = {}
    for number, item in enumerate(allocated):
        content = os.urandom(1000)
        put_url = item["put_url"]
        httpx.put(put_url["url"], content=content, headers={"Content-Type": put_url["content-type"]}).raise_for_status()
        body = {"object_id": item["object_id"], "timerange": f"[{number}:0_{number + 1}:0)"}
        http.post(f"{path}/segments", json=body).raise_for_status()
        made[item["object_id"]] = content
    return made


def urls_of(http: httpx.Client, object_id: str) -> list[str]:
    """The presigned URLs of an object."""
    found = http.get(f"/objects/{object_id}", params={"presigned": "true"}).raise_for_status().json()
    return [each["url"] for each in found["get_urls"]]


def test_everything_is_lost_and_restored(server: ServerProcess, tmp_path: Path) -> None:
    data = server.folder / "data"
    settings = {"TAMS_DATA_DIR": str(data)}
    with server.client() as http:
        made = ingest(http)
        [early] = urls_of(http, next(iter(made)))
    output = run("backup", tmp_path, settings)
    assert f"{SEGMENTS} media files" in output
    server.kill()
    shutil.rmtree(data)
    assert "no findings" in run("restore", tmp_path, settings)
    server.start()
    with server.client() as http:
        for object_id, content in made.items():
            assert httpx.get(urls_of(http, object_id)[0]).content == content
        assert httpx.get(early).content == next(iter(made.values()))
        assert len(ingest(http)) == SEGMENTS


def test_keys_rotate_under_a_running_server(server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as http:
        ingest(http)
        object_id, content = next(iter(ingest(http).items()))
        [early] = urls_of(http, object_id)
        listing = http.get("/flows", params={"limit": 1})
        output = run("keys", tmp_path, {"TAMS_DATA_DIR": str(server.folder / "data")})
        assert re.search(r"^\w{8}  accepted until .*\n\w{8}  signs from ", output), output
        expiry = urlsplit(early).query.partition("&")[0]
        signatures: set[str] = set()
        until = time.monotonic() + 60
        while len(signatures) < 2 and time.monotonic() < until:
            [url] = urls_of(http, object_id)
            # Whichever process takes the request, it accepts what any other has just signed, and the former key.
            for each in (url, early):
                with httpx.Client() as another:
                    assert another.get(each).content == content
            # The same path until the same moment is signed with the same text, unless with another key.
            if expiry in url:
                signatures.add(url)
            else:
                expiry = urlsplit(url).query.partition("&")[0]
                signatures = {url}
            time.sleep(0.2)
        assert len(signatures) == 2
        assert len(http.get(listing.links["next"]["url"]).raise_for_status().json()) == 1


def test_a_credential_is_created_rotated_and_revoked(tmp_path: Path) -> None:
    output = run("credentials", tmp_path, {"TAMS_DATA_DIR": str(tmp_path / "data")})
    first, second, *listed = output.splitlines()
    assert len({first, second}) == 2
    assert [line.split()[:2] for line in listed] == [
        ["NAME", "STATE"],
        ["recorder-1", "active"],
        ["recorder-1", "active"],
    ]
    assert not any(secret in line for line in listed for secret in (first, second))
