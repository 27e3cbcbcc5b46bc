"""The `tams-server` command line."""
