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
LICENCES = {
    "MIT": "Permission is hereby granted",
    "Apache-2.0": "Licensed under the Apache License",
}
"""Words of the licences that packages in the bundle may have, by SPDX identifier."""


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


def bundled() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((FOLDER / "packages.json").read_text())
    return found


def test_the_licence_of_each_bundled_package_comes_along(page: str) -> None:
    names = [each["name"] for each in bundled()]
    assert {*names} >= {*json.loads((WEB / "package.json").read_text())["dependencies"]}
    parts = (FOLDER / "licences.txt").read_text().split(f"\n{'-' * 80}\n\n")
    assert len(parts) == len(names)
    for package, part in zip(bundled(), parts, strict=True):
        assert part.startswith(f"{package['name']} {package['version']} ({package['license']})\n\n")
        assert LICENCES[package["license"]] in part, package["name"]


def test_the_bundled_packages_are_in_the_bill_of_materials(page: str, tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    release, dependency = "tams-server==0.1.0", "orjson==3"
    components = [{"bom-ref": release, "name": "tams-server"}, {"bom-ref": dependency, "name": "orjson"}]
    dependencies = [{"ref": dependency}, {"ref": release, "dependsOn": [dependency]}]
    bill.write_text(json.dumps({"components": components, "dependencies": dependencies}))
    for _ in range(2):  # the second time changes nothing
        subprocess.run([sys.executable, WEB / "sbom.py", bill, FOLDER / "packages.json"], check=True, timeout=30)
    made = json.loads(bill.read_text())
    added = {each["bom-ref"]: each for each in made["components"] if each["bom-ref"].startswith("pkg:npm/")}
    for package in bundled():
        entry = added.pop(f"pkg:npm/{package['name'].replace('@', '%40')}@{package['version']}")
        assert entry["licenses"] == [{"license": {"id": package["license"]}}]
        assert len(entry["hashes"][0]["content"]) == 128
        [of_release] = [each["dependsOn"] for each in made["dependencies"] if each["ref"] == release]
        assert {entry["bom-ref"], dependency} <= {*of_release}
    assert added == {}


def test_a_bill_of_materials_of_something_else_is_rejected(page: str, tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    bill.write_text('{"components": []}')
    command: list[str | Path] = [sys.executable, WEB / "sbom.py", bill, FOLDER / "packages.json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "the bill of materials lists tams-server 0 times\n")
    assert bill.read_text() == '{"components": []}'


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
