"""Thumbnails of flows: which object has the picture of a time, and the picture itself (F19)."""
