"""The HTTP application: settings, specification, routing, validation, security, errors and the command line.

Knows HTTP and the API document; knows no table and no rule of TAMS (those live in `storage`).
"""

import warnings

# Connexion imports Starlette's test client, which complains of the client library under it; nobody here uses either.
warnings.filterwarnings("ignore", message=".*starlette.testclient.*")
