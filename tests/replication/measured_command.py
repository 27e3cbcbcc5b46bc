"""Run `tams-server` in this process, and print the most memory that it has used, in bytes, as the last line."""

import resource
import sys

from tams_server.cli.main import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    sys.exit(status)
