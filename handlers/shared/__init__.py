"""What several handlers share; no module here belongs to a tag of the specification."""
