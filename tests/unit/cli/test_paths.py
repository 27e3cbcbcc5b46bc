"""A path or secret is taken as it is written: the file that is opened is the one that is named, for its owner alone."""

import json
import os
import stat
from pathlib import Path
from urllib.parse import quote

import pytest

from storage.tables import open_engine
from storage.tables.database_url import parse_postgresql_url, sqlite_file
from storage.tables.vast.address import parse_address
from tams_server.cli.main import main
from tams_server.storage_backends_file import UrlTimeouts, read_backends

ODD_NAMES = [
    "a?b",
    "a%25b",
    "%41",
    "a#b",
    "a b ",
    "ü",
    "a\nb",
    "a:b@c",
    "a\\b",
    "a+b",
    ":memory:",
    "file:x?mode=memory",
]


def files_below(folder: Path) -> dict[str, int]:
    """Every file below the folder, with its mode."""
    return {
        str(Path(at).joinpath(name).relative_to(folder)): stat.S_IMODE(Path(at).joinpath(name).stat().st_mode)
        for at, _, names in os.walk(folder)
        for name in names
    }


@pytest.fixture(autouse=True)
def _alone_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TAMS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_data_folder_is_the_one_that_is_named(
    tmp_path: Path, name: str, relative: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = name if relative else str(tmp_path / name)
    for number in range(2):
        assert main(["token", "create", "--data-dir", folder, "--name", f"n{number}"]) == 0
    assert main(["export", "--data-dir", folder, "exported"]) == 0
    assert "rows of" in capsys.readouterr().out
    found = files_below(tmp_path)
    assert found[f"{name}/catalog.db"] == 0o600
    assert {path.partition("/")[0] for path in found} == {name, "exported"}
    assert {mode for path, mode in found.items() if "catalog" in path} == {0o600}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_sqlite_url_names_a_percent_encoded_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_DATABASE_URL", f"sqlite:///{quote(str(tmp_path / name / 'catalog.db'))}")
    assert main(["token", "create", "--name", "n"]) == 0
    assert files_below(tmp_path)[f"{name}/catalog.db"] == 0o600


@pytest.mark.parametrize("url", ["sqlite:////a?b", "sqlite:////a#b", "sqlite:///", "sqlite:////a/", "sqlite:////%ff"])
def test_an_ambiguous_sqlite_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="the database URL"):
        sqlite_file(url)


SECRET = "s3/cr@t:%41#?&+ü"
ENCODED = "s3%2Fcr%40t%3A%2541%23%3F%26%2B%C3%BC"


def test_secrets_in_database_urls_are_decoded_once() -> None:
    url = parse_postgresql_url(f"postgresql+psycopg://u:{ENCODED}@h/d?sslrootcert=%2Fa%3Fb%2525.pem")
    assert (url.password, url.query["sslrootcert"], url.host) == (SECRET, "/a?b%25.pem", "h")
    address = parse_address(f"vast://{ENCODED}:{ENCODED}@h:1/b/s?ca=%2Fa%3Fb%2525.pem")
    assert (address.access, address.secret, address.verify) == (SECRET, SECRET, "/a?b%25.pem")
    assert parse_address("vast://k@h/b/s", SECRET).secret == SECRET


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "vast"])
@pytest.mark.parametrize("secret", ["hid/den", "hid@den", "hid@den:x", "1@hid:2@den", "hid[den", "hid#den", "hid?den"])
def test_a_secret_that_is_not_encoded_is_never_shown(scheme: str, secret: str) -> None:
    """It is either understood as it is meant, or rejected without any part of it."""
    url = f"{scheme}://user:{secret}@host/bucket/schema"
    try:
        open_engine(url).close()
    except ValueError as error:
        message = str(error)
    else:
        found = parse_address(url).secret if scheme == "vast" else parse_postgresql_url(url).password
        assert found == secret
        return
    assert "%40" in message
    assert "hid" not in message
    assert "den" not in message


def test_the_folder_of_a_storage_backend_is_the_one_that_is_named(tmp_path: Path) -> None:
    names = [name for name in ODD_NAMES if name != ":memory:"]
    entries = "".join(
        f"- {{id: 11111111-1111-4111-8111-1111111111{number:02}, kind: files, folder: {_quoted(tmp_path / name)}}}\n"
        for number, name in enumerate(names)
    )
    file = tmp_path / "backends.yaml"
    file.write_text(f"backends:\n{entries}")
    read = read_backends(file, UrlTimeouts(1, 1000, 600, 600))
    assert [entry["folder"] for entry in read] == [str(tmp_path / name) for name in names]


def _quoted(path: Path) -> str:
    return json.dumps(str(path))
