"""Many clients at once, with large flows and large batches, and what must hold afterwards (`make test-stress`)."""
