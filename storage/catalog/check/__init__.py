"""The consistency check: compares the records of the catalogue with each other and with the stored bytes."""
