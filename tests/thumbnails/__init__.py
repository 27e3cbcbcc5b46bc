"""F19: thumbnails of flows."""
