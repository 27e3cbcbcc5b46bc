"""The media commands of `tams`: files made by PyAV, through a server and back, compared frame by frame."""
