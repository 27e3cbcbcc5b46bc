"""Code that several handlers share. No module here belongs to a tag of the specification."""
