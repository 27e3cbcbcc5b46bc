"""The checks of `tams doctor`, a module a subject."""
