"""Playlists of flows: pure functions from segments and technical metadata to the text that players read."""
