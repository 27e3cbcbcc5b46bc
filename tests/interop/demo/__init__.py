"""The demo: store a real clip in a TAMS server, read a timerange of it back, and verify it frame by frame.

`python -m tests.interop.demo --help` shows how to run it. Its modules, in reading order:

    pattern, sound    generate pictures and sound from which the time can be read back after decoding
    clip              encodes them to an MP4 file
    segmenting        cuts that file into MPEG-TS segments, and measures their positions on the timeline
    flows, client     describe the flows, and call the TAMS API of any server
    decoding          decodes the frames and samples of a timerange from downloaded segments
    steps             the steps and checks of the demo; report prints them
    server            starts and stops this project's server for the demo
"""
