"""Tests of playback: the rules of HLS, playlists against them, and players."""
