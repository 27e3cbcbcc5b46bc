"""YAML files that settings name."""

from pathlib import Path
from typing import Any

import yaml

from tams_server.settings.loading import SettingsError


def read_yaml(path: Path, setting: str) -> Any:
    """Return the document in a file. setting: the variable that names it. Raises SettingsError."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{setting}: {error}"]) from error
    except yaml.YAMLError as error:
        # The full message would quote the file, which may hold secrets.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingsError([f"{path}{place}: invalid YAML: {getattr(error, 'problem', None)}"]) from error
