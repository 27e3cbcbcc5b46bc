"""Flow segments: registration, listing and deletion."""
