"""The `tams` command line: a client of any TAMS 8.x server. See main.py for the table of commands."""
