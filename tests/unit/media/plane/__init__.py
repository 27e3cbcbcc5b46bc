"""Unit tests of the media plane, in process, over files."""
