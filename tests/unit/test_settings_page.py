"""docs/settings.md matches the settings in the code."""

import dataclasses
from pathlib import Path

import pytest

from tams_server.settings import PREFIX, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("setting", dataclasses.fields(Settings), ids=lambda setting: setting.name)
def test_setting_is_on_the_page(setting: "dataclasses.Field[object]") -> None:
    default = setting.default
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    cell = "" if default is None else f"`{shown}`"
    assert f"| `{PREFIX}{setting.name.upper()}` | {cell} | {setting.metadata['help']} |" in PAGE
