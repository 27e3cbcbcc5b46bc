"""The API document as the server uses it: loaded, mended by the overlay, and turned into operations and validators."""
