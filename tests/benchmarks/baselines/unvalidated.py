"""`tams-server` whose responses are taken to be valid. Run as a script, with the server's checkout on the path."""

import sys


def main() -> int:
    from tams_server.cli.main import main
    from tams_server.http import responses

    # Fails if there is no such function any more, so that the row does not compare two servers that are the same.
    assert callable(responses._violation)
    responses._violation = lambda *_: None
    return main()


if __name__ == "__main__":
    sys.exit(main())
