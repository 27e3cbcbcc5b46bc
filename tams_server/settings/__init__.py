"""Settings from TAMS_* environment variables and the command line."""

from tams_server.settings.declaration import Settings
from tams_server.settings.loading import PREFIX, Loaded, SettingsError, load_settings, shown_settings

__all__ = ["PREFIX", "Loaded", "Settings", "SettingsError", "load_settings", "shown_settings"]
