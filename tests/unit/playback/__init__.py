"""Playlists as pure functions."""
