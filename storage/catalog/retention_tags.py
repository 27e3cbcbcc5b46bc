"""The tags of a flow by which it and its segments are deleted in time (storage.catalog.retention.rule).

`segment_retention_offset` and `flow_retention_offset` are those of the BBC's application note 0019,
`loop_recorder_duration` is that of AWS's loop recorder.
"""

from typing import Final

SEGMENT_OFFSET: Final = "segment_retention_offset"
FLOW_OFFSET: Final = "flow_retention_offset"
LOOP_DURATION: Final = "loop_recorder_duration"
TAGS: Final = (SEGMENT_OFFSET, FLOW_OFFSET, LOOP_DURATION)
