"""Run `tams-server` as `python -m tams_server`."""

import sys

from tams_server.cli.main import main

sys.exit(main())
