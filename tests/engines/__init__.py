"""One suite for every engine and every object store."""
