"""`python -m tams_server` is `tams-server`."""

import sys

from tams_server.cli import main

sys.exit(main())
