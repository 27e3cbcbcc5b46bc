"""Playback of flows and sources: playlists for players (F19)."""
