"""`python -m tams_server` is `tams-server`."""

import sys

from tams_server.cli.main import main

sys.exit(main())
