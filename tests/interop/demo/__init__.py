"""The demo: a real clip goes into a TAMS server and a timerange of it comes back, proven frame by frame.

`python -m tests.interop.demo --help` tells how to run it. It reads in this order:

    pattern, sound    what each frame and each moment of the clip shows and plays, so that it can be recognised later
    clip              encodes them to one MP4 file
    segmenting        cuts that file into MPEG-TS segments and measures where each lies on the timeline
    flows, client     describes the flows, and speaks TAMS over HTTP to any server
    decoding          turns downloaded segments back into frames and samples of a timerange
    story             the demo itself, step by step, with its checks; report prints them
    server            starts this project's server for the demo and stops it
"""
