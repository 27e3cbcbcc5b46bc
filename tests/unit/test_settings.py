"""Loading settings and validating them, among others the timeouts of presigned URLs (F1)."""

from pathlib import Path

import pytest

from tams_server.settings import Settings, SettingsError, load_settings, shown_settings


def errors(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.errors


def test_no_setting_is_needed() -> None:
    loaded = load_settings({})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_the_command_line_overrides_the_environment() -> None:
    loaded = load_settings({"TAMS_PORT": "1", "TAMS_WORKERS": "3"}, {"port": 2, "host": None})
    assert (loaded.settings.port, loaded.settings.workers) == (2, 3)
    assert (loaded.origins["port"], loaded.origins["workers"]) == ("command line", "environment")


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    loaded = load_settings({"TAMS_BOOTSTRAP_TOKEN_FILE": str(file)})
    assert loaded.settings.bootstrap_token == "secret"
    assert loaded.origins["bootstrap_token"] == f"file {file}"
    both = {"TAMS_BOOTSTRAP_TOKEN_FILE": str(file), "TAMS_BOOTSTRAP_TOKEN": "x"}
    assert "only one" in errors(**both)[0]
    assert "TAMS_BOOTSTRAP_TOKEN_FILE" in errors(TAMS_BOOTSTRAP_TOKEN_FILE=str(tmp_path / "none"))[0]


def test_secrets_are_not_shown() -> None:
    loaded = load_settings({"TAMS_BOOTSTRAP_BASIC": "user:password", "TAMS_DATABASE_URL": "sqlite:////a:secret"})
    text = "\n".join(" ".join(line) for line in shown_settings(loaded))
    assert "user:password" not in text
    assert ":secret" not in text
    assert "TAMS_BOOTSTRAP_BASIC (secret) environment" in text


def test_all_errors_are_reported_together() -> None:
    lines = errors(
        TAMS_PORT="x",
        TAMS_WORKERS="0",
        TAMS_LOG_JSON="maybe",
        TAMS_LOG_LEVEL="LOUD",
        TAMS_PUBLIC_URL="example.com",
        TAMS_BOOTSTRAP_BASIC="nocolon",
    )
    text = "\n".join(lines)
    for name in ("PORT", "WORKERS", "LOG_JSON", "LOG_LEVEL", "PUBLIC_URL", "BOOTSTRAP_BASIC"):
        assert f"TAMS_{name}" in text
    assert len(lines) == 6
    assert "nocolon" not in text


@pytest.mark.behaviour("SVC-GET-05", "SVC-GET-06", "TMO-06")
@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TAMS_MIN_OBJECT_TIMEOUT": "299"}, "TAMS_MIN_OBJECT_TIMEOUT"),
        ({"TAMS_MIN_PRESIGNED_URL_TIMEOUT": "29"}, "TAMS_MIN_PRESIGNED_URL_TIMEOUT"),
        ({"TAMS_MIN_PRESIGNED_URL_TIMEOUT": "601"}, "TAMS_MIN_OBJECT_TIMEOUT"),
        ({"TAMS_UPLOAD_URL_TIMEOUT": "299"}, "TAMS_UPLOAD_URL_TIMEOUT"),
        ({"TAMS_DOWNLOAD_URL_TIMEOUT": "299"}, "TAMS_DOWNLOAD_URL_TIMEOUT"),
        ({"TAMS_UPLOAD_URL_TIMEOUT": "661"}, "TAMS_UPLOAD_URL_TIMEOUT"),
        ({"TAMS_PAGE_LIMIT_DEFAULT": "2000"}, "TAMS_PAGE_LIMIT_DEFAULT"),
        ({"TAMS_PORT": "65536"}, "TAMS_PORT"),
    ],
)
def test_settings_that_conflict_are_rejected(environ: dict[str, str], named: str) -> None:
    assert any(line.startswith(named) for line in errors(**environ))


def test_unknown_variables_are_reported_without_an_error() -> None:
    loaded = load_settings({"TAMS_SERVICE_HOST": "10.0.0.1", "TAMS_DATA_DIR": "/x", "OTHER": "y"})
    assert loaded.unknown == ("TAMS_SERVICE_HOST",)


@pytest.mark.parametrize("text", ["TRUE", " true ", "On", "1", "YES"])
def test_truth_values_are_read_in_any_spelling(text: str) -> None:
    assert load_settings({"TAMS_TRUST_PROXY": text}).settings.trust_proxy


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://Tams.example/", "https://Tams.example"),
        (" http://tams.example:8443/a/b// ", "http://tams.example:8443/a/b"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://a.example/t ms", "https://a.example/t%20ms"),
    ],
)
def test_public_url_is_normalised(text: str, url: str) -> None:
    assert load_settings({"TAMS_PUBLIC_URL": text}).settings.public_url == url


@pytest.mark.parametrize(
    "text",
    [
        "a.example",
        "ftp://a",
        "http://",
        "http://a?b",
        "http://a#b",
        "http://[::1",
        "http://a:x",
        "http://u:p@a",
        "http://a b",
    ],
)
def test_other_public_urls_are_rejected(text: str) -> None:
    with pytest.raises(SettingsError, match=r"TAMS_PUBLIC_URL: .* must be http"):
        load_settings({"TAMS_PUBLIC_URL": text})


def test_host_bits_of_networks_are_dropped() -> None:
    settings = load_settings({"TAMS_WEBHOOK_ALLOW": "10.1.2.3/16,127.0.0.1, 2001:DB8::1/32"}).settings
    assert settings.webhook_networks == ("10.1.0.0/16", "127.0.0.1/32", "2001:db8::/32")
    with pytest.raises(SettingsError, match=r"TAMS_WEBHOOK_ALLOW: .* must be a list of networks"):
        load_settings({"TAMS_WEBHOOK_ALLOW": "10.0.0.0/8 everything"})


def test_ipv6_hosts_may_have_brackets() -> None:
    assert (
        load_settings({"TAMS_HOST": "[::1]"}).settings.host
        == load_settings({"TAMS_HOST": "::1"}).settings.host
        == "::1"
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9410", ("127.0.0.1", 9410)),
        (" inner.example:1 ", ("inner.example", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_metrics_may_have_an_address_of_their_own(text: str, address: tuple[str, int]) -> None:
    assert load_settings({"TAMS_METRICS_LISTEN": text}).settings.metrics_address == address
    assert load_settings({"TAMS_METRICS_LISTEN": text, "TAMS_METRICS": "false"}).settings.metrics_address is None
    assert "only one" in errors(TAMS_METRICS_LISTEN=text, TAMS_METRICS_TOKEN="x")[0]


@pytest.mark.parametrize("text", ["9410", ":9410", "127.0.0.1", "127.0.0.1:0", "::1:9410", "127.0.0.1:70000", "a b:1"])
def test_addresses_of_metrics_are_checked(text: str) -> None:
    assert "TAMS_METRICS_LISTEN" in errors(TAMS_METRICS_LISTEN=text)[0]
