"""The `tams` command line: a client of any TAMS 8.x server. See command_line.py for the table of commands."""
