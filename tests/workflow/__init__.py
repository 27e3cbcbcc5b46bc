"""The sample workflow: fifteen steps against a real server, of which docs/workflow.md is made."""
