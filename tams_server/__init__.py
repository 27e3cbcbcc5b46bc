"""The HTTP application: settings, specification, routing, validation, security, errors and the command line.

It has no SQL and none of the rules of TAMS: those are in `storage`.
"""

import warnings

# Connexion imports Starlette's test client, which warns about the HTTP client it uses. We use neither.
warnings.filterwarnings("ignore", message=".*starlette.testclient.*")
