"""The README: its commands work as written, and its links, targets and defaults are correct."""

import dataclasses
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tams_server.cli.main import main
from tams_server.settings import Settings
from tests.client_media.media_files import H264, make
from tests.conformance.kit.server import own_server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _blocks(title: str) -> list[str]:
    return re.findall(rf"<!-- tested: {title} -->\n```sh\n(.*?)```", README, re.DOTALL)


def test_ingest_and_read_back_by_copy_and_paste(tmp_path: Path) -> None:
    [ingest], [read_back] = _blocks("ingest"), _blocks("read back")
    with own_server(tmp_path / "server") as subject:
        script = (ingest + read_back).replace("http://localhost:4010", subject.url)
        script = script.replace("the-token-that-make-run-printed", subject.token)
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every byte is back" in done.stdout
    assert '"timerange":"[0:0_2:0)"' in done.stdout


def test_a_file_in_and_out_by_copy_and_paste(tmp_path: Path) -> None:
    [script] = _blocks("media")
    make(tmp_path, replace(H264, name="clip.mp4", frames=300))
    with own_server(tmp_path / "server") as subject:
        script = script.replace("http://localhost:4010", subject.url).replace(
            "$PWD/.venv/bin", str(Path(sys.executable).parent)
        )
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path,
            env={**_without_tams(), "XDG_CONFIG_HOME": str(tmp_path / "config")},
            input=f"{subject.token}\n",
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "First clip" in done.stdout
    with av.open(str(tmp_path / "two-parts.mp4")) as exported:
        # 3.5 seconds at 30000/1001, each part rounded to frames.
        assert sum(1 for _ in exported.decode(video=0)) in (104, 105, 106)


def _without_tams() -> dict[str, str]:
    """The environment without variables that name a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)", README))))
def test_make_targets_of_the_readme_exist(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\.venv/bin/tams-server ([a-z]+(?: [a-z]+)?)", README))))
def test_commands_of_the_readme_exist(command: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    assert caught.value.code == 0


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((docs/[^)#]+)", README))))
def test_pages_that_the_readme_links_to_exist(link: str) -> None:
    assert (ROOT / link).is_file()


def test_settings_of_the_readme_have_these_defaults() -> None:
    settings = {field.name: field.default for field in dataclasses.fields(Settings)}
    for names, defaults in re.findall(r"^\| (`TAMS_[^|]*) \| (`[^|]*) \|", README, re.MULTILINE):
        for name, default in zip(re.findall(r"`TAMS_(\w+)`", names), re.findall(r"`([^`]*)`", defaults), strict=True):
            assert str(settings[name.lower()]).lower() == default.removeprefix("./"), name
