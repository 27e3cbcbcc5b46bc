"""Media for a TAMS server, by PyAV: cut files and streams into segments, export exact frames, edit by reference.

Needs the extra `media` (PyAV with the libraries of FFmpeg, and NumPy). Knows the client library, and nothing of the
server but timeranges and TAI.
"""
