"""One suite for every engine of the tables."""
