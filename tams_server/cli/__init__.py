"""The commands of `tams-server`."""
