"""YAML files that settings name.

Like all settings, they are read once at start. The processes of a server that replace others start later, when a file
may have changed, or not be valid or there at all. So a server keeps what it has read.
"""

from pathlib import Path
from typing import Any

import yaml

from tams_server.settings.loading import SettingsError


class _Texts:
    """What files hold. kept: what has been read of each; None to read it each time."""

    def __init__(self) -> None:
        self.kept: dict[Path, str] | None = None

    def read(self, path: Path) -> str:
        if self.kept is None:
            return path.read_text(encoding="utf-8")
        if path not in self.kept:
            self.kept[path] = path.read_text(encoding="utf-8")
        return self.kept[path]


_texts = _Texts()


def keep_files() -> None:
    """Read each file once from now on, for this process and those that are forked from it."""
    _texts.kept = {}


def read_yaml(path: Path, setting: str) -> Any:
    """Return the document in a file. setting: the variable that names it. Raises SettingsError."""
    try:
        return yaml.safe_load(_texts.read(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{setting}: {error}"]) from error
    except yaml.YAMLError as error:
        # The full message would quote the file, which may hold secrets.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingsError([f"{path}{place}: invalid YAML: {getattr(error, 'problem', None)}"]) from error
