"""What the build of the console makes, and what a release has of it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tams_server.console.static_files import FOLDER

ROOT = Path(__file__).parents[2]
WEB = ROOT / "tams_server/console/web"
FIRST_VIEW_BYTES = 300_000
"""Of the first view, compressed."""


@pytest.fixture(scope="module")
def page() -> str:
    if not (FOLDER / "index.html").is_file():
        pytest.skip("the console has not been built; `make console` builds it")
    return (FOLDER / "index.html").read_text()


def test_the_page_has_nothing_inline_and_relative_links_only(page: str) -> None:
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(links) == 4
    assert all(re.fullmatch(r"console/[a-z_]+-[0-9A-Za-z]{8}\.(js|css|svg)", link) for link in links), links
    assert all((FOLDER / link.removeprefix("console/")).is_file() for link in links)
    assert re.findall(r"<script[^>]*>([^<]+)</script>", page) == []
    assert "<style" not in page and " style=" not in page and " on" not in re.sub(r">[^<]*<", "><", page)


def test_the_first_view_is_small(page: str) -> None:
    loaded, waiting = set(), set(re.findall(r'(?:src|href)="console/([^"]*)"', page))
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        if name.endswith(".js"):
            found = re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', (FOLDER / name).read_text())
            waiting |= set(found) - loaded
    assert any(name.startswith("chunk-") for name in loaded)  # imports have been found
    assert sum((FOLDER / f"{name}.gz").stat().st_size for name in loaded) < FIRST_VIEW_BYTES


def test_each_file_has_compressed_copies(page: str) -> None:
    plain = [path for path in FOLDER.iterdir() if path.suffix in (".html", ".js", ".css", ".svg", ".txt")]
    for path in plain:
        assert path.with_name(f"{path.name}.gz").is_file()
        assert path.with_name(f"{path.name}.br").is_file()


def test_licences_of_the_bundled_packages_come_along(page: str) -> None:
    text = (FOLDER / "licences.txt").read_text()
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    bundled = [name for name in wanted if f"{name} " in text]
    assert "preact" in bundled
    assert text.count("Permission is hereby granted") >= len(bundled) - 1  # the others are Apache-2.0


def test_packages_are_pinned_and_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("resolved" not in entry and entry["integrity"].startswith("sha512-") for entry in packages.values())
    wanted = json.loads((WEB / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_a_release_has_the_built_files_and_not_the_sources(page: str, tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    released = tmp_path / "tams_server/console"
    assert {path.name for path in (released / "static").iterdir()} == {path.name for path in FOLDER.iterdir()}
    assert not (released / "web").exists()
