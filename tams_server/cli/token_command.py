"""tams-server token create."""

import argparse

from tams_server.cli.catalog_access import open_or_create_catalog
from tams_server.settings import Loaded


def create(loaded: Loaded, options: argparse.Namespace) -> int:
    """Create a token with the given name and scopes, and print it."""
    with open_or_create_catalog(loaded.settings) as catalog:
        scopes = options.scopes.replace(",", " ").split()
        print(catalog.credentials.add_token(options.name, scopes))
    return 0
