"""Real media through real clients."""
