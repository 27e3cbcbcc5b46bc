"""Settings are read from TAMS_* environment variables and the command line.

A secret may be read from a file instead: TAMS_BOOTSTRAP_TOKEN_FILE names the file that contains the value of
TAMS_BOOTSTRAP_TOKEN.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tams_server.settings.conflicts import conflicts
from tams_server.settings.declaration import Settings
from tams_server.settings.values import convert

PREFIX: Final = "TAMS_"
_OF_COMMAND_LINE: Final = {"TAMS_URL", "TAMS_TOKEN", "TAMS_CONTEXT", "TAMS_CONTEXTS_FILE"}
"""Variables of the command `tams`, which people set beside those of a server."""


class SettingsError(Exception):
    """Invalid settings. errors: one line per error."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Loaded:
    """Loaded settings. origins: source of each setting, by name. unknown: TAMS_* variables that are not settings."""

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def load_settings(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Load the settings from environment variables. overrides: values from the command line; None means not given.

    Raises SettingsError with all errors. Unknown TAMS_* variables are not errors: container platforms set some for
    every service named "tams".
    """
    errors: list[str] = []
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    hints = typing.get_type_hints(Settings)
    for name, described in fields.items():
        variable = PREFIX + name.upper()
        text, origin = _read(environ, variable, described.metadata["secret"], errors)
        if overrides and overrides.get(name) is not None:
            text, origin = str(overrides[name]), "command line"
        origins[name] = origin
        if text is not None:
            try:
                parse = described.metadata["parse"]
                values[name] = parse(text) if parse else convert(text, hints[name], described.metadata["minimum"])
            except ValueError as error:
                shown = "the value" if described.metadata["secret"] else repr(text)
                errors.append(f"{variable}: {shown} {error}")
    settings = Settings(**values)
    errors += conflicts(settings)
    if errors:
        raise SettingsError(errors)
    return Loaded(settings, origins, tuple(_unknown(environ, fields)))


def shown_settings(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Yield (variable, value, source) for every setting, with secrets redacted."""
    for described in dataclasses.fields(Settings):
        value = getattr(loaded.settings, described.name)
        if value is None:
            text = ""
        elif described.metadata["secret"]:
            text = "(secret)"
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        yield PREFIX + described.name.upper(), text, loaded.origins[described.name]


def _unknown(environ: Mapping[str, str], fields: Mapping[str, dataclasses.Field[Any]]) -> Iterator[str]:
    known = {PREFIX + name.upper() for name in fields}
    known |= _OF_COMMAND_LINE
    known |= {f"{PREFIX}{name.upper()}_FILE" for name, described in fields.items() if described.metadata["secret"]}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            yield variable


def _read(environ: Mapping[str, str], variable: str, secret: bool, errors: list[str]) -> tuple[str | None, str]:
    file = environ.get(f"{variable}_FILE") if secret else None
    if file is None:
        return (environ[variable], "environment") if environ.get(variable) else (None, "default")
    if environ.get(variable):
        errors.append(f"{variable} and {variable}_FILE: only one of them may be set")
    try:
        return Path(file).read_text(encoding="utf-8").strip(), f"file {file}"
    except (OSError, UnicodeDecodeError) as error:
        errors.append(f"{variable}_FILE: {error}")
        return None, "default"
