"""The media plane: the HTTP side of the file store, under /media/."""
