"""The HTTP side of the embedded media store, under /media/."""
