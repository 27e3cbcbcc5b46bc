"""Keep flows the same in another TAMS server: `tams-server replicate` (docs/replication.md).

Works between any two TAMS 8.x servers, by `tams_server.client` alone. What TO has, it is asked; only the upload URLs of
objects on their way are remembered here, as a server gives each of them once (`state`).

    replicator     one pass: find the flows, open them, copy, close them
    flow_set       which flows, members of collections first
    flow_writer    the metadata of flows, profiles and sources at TO
    flow_segments  what one flow lacks at TO, or has too much
    comparison     two lists of segments, merged in the order of time
    segment_copier segments of one flow: objects in parallel, registration in order
    object_copier  one object: allocate, stream, verify
    verification   re-reading, and comparing what both servers tell
    follower       pass after pass; woken by `listener` where FROM can send events
"""
