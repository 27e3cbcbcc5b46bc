"""Thumbnails: one picture of media as JPEG, decoded in a process apart (F19). Knows media, knows no flow."""
