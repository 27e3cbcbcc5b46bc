"""Backups: the whole catalogue at one moment with checksums, optionally with the media of file stores.

- manifest.py: what a backup says about itself, and how its files are verified.
- place.py: where backups are kept; folder_place.py and s3_place.py are the kinds of places.
- take.py makes a backup; restore.py fills an empty catalogue from one.
- media_files.py: the bytes of file stores, in both directions.
"""
