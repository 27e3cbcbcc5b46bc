"""The version of this server's software."""

from importlib.metadata import PackageNotFoundError, version


def software_version() -> str:
    """Return the version of the installed package, or "0" when run from a checkout that is not installed."""
    try:
        return version("tams-server")
    except PackageNotFoundError:
        return "0"
