"""docs/deployment.md matches the server."""

import dataclasses
import inspect
import re
import shlex
from pathlib import Path

import pytest

from tams_server.cli.main import main
from tams_server.http.request_bodies import STALL_TIMEOUT_S
from tams_server.media.media_plane import media_plane
from tams_server.processes.gunicorn_server import GRACE_S, KEEPALIVE_S, WATCHDOG_S
from tams_server.settings import PREFIX, Settings, load_settings
from tams_server.storage_backends_file import UrlTimeouts, read_backends

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "deployment.md").read_text()
SECRETS = {
    "vast": "secret",
    "bootstrap-token": "token",
    "database-url": "postgresql+psycopg://tams:PASSWORD@db.example.org/tams",
}


def _block(title: str) -> str:
    blocks: list[str] = re.findall(rf"<!-- tested: {title} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return "\n".join(blocks)


def _environment(folder: Path, *titles: str) -> dict[str, str]:
    """The variables set by these blocks of the page, with the files that they name created in `folder`."""
    for name, content in SECRETS.items():
        (folder / "secrets").mkdir(exist_ok=True)
        (folder / "secrets" / name).write_text(content)
    text = "\n".join(_block(title) for title in titles).replace("/etc/tams", str(folder))
    return dict(line.split("=", 1) for line in shlex.split(text))


def _directive(name: str, within: str = "") -> str:
    """The value of the first directive `name`, inside location `within` if given."""
    text = _block("nginx").partition(f"location {within} {{")[2] if within else _block("nginx")
    found = re.search(rf"^\s*{name} ([^;]+);", text, re.MULTILINE)
    assert found, name
    return found[1]


def _seconds(name: str, within: str = "") -> float:
    return float(_directive(name, within).removesuffix("s"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bTAMS_[A-Z_]+\b", PAGE))))
def test_settings_of_the_page_exist(name: str) -> None:
    known = {PREFIX + field.name.upper(): field.metadata["secret"] for field in dataclasses.fields(Settings)}
    assert name in known or known.get(name.removesuffix("_FILE"))


def test_environment_for_vast_is_valid(tmp_path: Path) -> None:
    loaded = load_settings(_environment(tmp_path, "vast", "own"))
    assert loaded.unknown == ()
    assert str(loaded.settings.database_url).startswith("vast://")
    assert loaded.settings.vast_secret == "secret"


def test_environment_for_postgresql_is_valid(tmp_path: Path) -> None:
    shared = _environment(tmp_path, "vast", "own")
    del shared["TAMS_DATABASE_URL"], shared["TAMS_VAST_SECRET_FILE"]
    loaded = load_settings({**shared, **_environment(tmp_path, "postgresql")})
    assert loaded.unknown == ()
    assert str(loaded.settings.database_url).startswith("postgresql+psycopg://")


def test_backends_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "backends.yaml"
    file.write_text(_block("backends"))
    [entry] = read_backends(file, UrlTimeouts(minimum=300, max_upload=660, upload=600, download=3600))
    assert entry["label"] == "media"


def test_limits_of_nginx_match_those_of_the_server() -> None:
    assert _directive("client_max_body_size") == f"{Settings().max_body_bytes // 2**20}m"
    assert _seconds("client_body_timeout") == STALL_TIMEOUT_S
    assert Settings().max_upload_bytes is None
    assert _directive("client_max_body_size", "/media/") == "0"
    stall_s = inspect.signature(media_plane).parameters["stall_timeout_s"].default
    assert _seconds("client_body_timeout", "/media/") == stall_s
    assert _seconds("keepalive_timeout") < KEEPALIVE_S
    assert _seconds("proxy_read_timeout") >= WATCHDOG_S


def test_systemd_waits_for_the_server_to_stop() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", _block("unit"), re.MULTILINE)
    assert found
    assert int(found[1]) > 2 * GRACE_S


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\btams-server ([a-z]+(?: [a-z]+)?)`", PAGE))))
def test_commands_of_the_page_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", PAGE))))
def test_links_of_the_page_lead_somewhere(link: str) -> None:
    name, _, heading = link.partition("#")
    text = (DOCS / name).read_text()
    assert not heading or heading in [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)]
