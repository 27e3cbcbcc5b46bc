"""Codes of the rules of the catalogue, by subject."""

from storage.error_codes.code import declare

# Flows.
FLOW_NOT_FOUND = declare(
    "flow.not_found",
    "not_found",
    "There is no such flow, or the caller may not see it.",
    "Check `flowId`, and that the caller may read the flow.",
)
FLOW_READ_ONLY = declare("flow.read_only", "forbidden", "The flow is read-only.", "Set its `read_only` to false first.")
FLOW_BEING_DELETED = declare(
    "flow.being_deleted",
    "not_found",
    "The flow is still being deleted.",
    "Follow its flow delete request, and create the flow when that is done.",
    "warning",
)
FLOW_ID_MISMATCH = declare(
    "flow.id_mismatch", "invalid", "The id in the body differs from that in the path.", "Send the same id in both."
)
FLOW_FORMAT_FIXED = declare(
    "flow.format_fixed", "invalid", "The format of a flow cannot be changed.", "Create another flow."
)
FLOW_SOURCE_FIXED = declare(
    "flow.source_fixed", "invalid", "The source of a flow cannot be changed.", "Create another flow."
)
FLOW_SOURCE_FORMAT = declare(
    "flow.source_format",
    "invalid",
    "The flow has another format than its source.",
    "Use another source, or the format of this one.",
)
FLOW_FIXED_BY_SEGMENTS = declare(
    "flow.fixed_by_segments",
    "invalid",
    "The member cannot be changed while the flow has segments.",
    "Create another flow, or delete the segments first.",
)
FLOW_NO_CONTAINER = declare(
    "flow.no_container",
    "invalid",
    "The flow has no container, so that it can take no objects.",
    "Set its `container` first.",
)
FLOW_MEMBER_NOT_SET = declare(
    "flow.member_not_set", "not_found", "The flow does not have this member.", "Nothing, if that was the question."
)
FLOW_TAG_NOT_FOUND = declare(
    "flow.tag_not_found", "not_found", "The flow does not have this tag.", "Check the name; it is case-sensitive."
)
COLLECTION_UNKNOWN_FLOW = declare(
    "flow_collection.unknown_flow",
    "invalid",
    "A collection names a flow that does not exist.",
    "Create the flow first.",
)
COLLECTION_DIFFERS = declare(
    "flow_collection.differs",
    "invalid",
    "The collections of the flows of one source must agree in order and roles.",
    "Send the same order and roles as the other flow that `detail` names.",
)

# Profiles.
PROFILE_NOT_FOUND = declare("profile.not_found", "not_found", "There is no such profile.", "Check `profileId`.")
PROFILE_EXISTS = declare(
    "profile.exists", "invalid", "The profile exists already, and profiles cannot be changed.", "Use another id."
)
PROFILE_ID_MISMATCH = declare(
    "profile.id_mismatch", "invalid", "The id in the body differs from that in the path.", "Send the same id in both."
)
PROFILE_NOT_TECHNICAL = declare(
    "profile.not_technical", "invalid", "A profile has a member that only flows can have.", "Leave it out."
)
PROFILE_UNKNOWN = declare(
    "flow.unknown_profile", "invalid", "The flow names a profile that does not exist.", "Create the profile first."
)
PROFILE_SETS_MEMBER = declare(
    "flow.set_by_profile",
    "invalid",
    "The member is set by the profile of the flow.",
    "Leave it out, or remove the link with an empty `profile_id`.",
)
PROFILE_SETS_MEMBER_FORBIDDEN = declare(
    "flow.member_set_by_profile",
    "forbidden",
    "The member is set by the profile of the flow, and cannot be removed.",
    "Remove the link with an empty `profile_id`.",
)
PROFILE_LINK = declare(
    "flow.profile_link",
    "invalid",
    "The link to a profile is not usable as sent.",
    "Send the id of a profile, or an empty string and the members of the format.",
)

# Sources.
SOURCE_NOT_FOUND = declare(
    "source.not_found",
    "not_found",
    "There is no such source, or the caller may not see it.",
    "Check `sourceId`, and that the caller may read a flow of the source.",
)
SOURCE_MEMBER_NOT_SET = declare(
    "source.member_not_set", "not_found", "The source does not have this member.", "Nothing, if that was the question."
)
SOURCE_TAG_NOT_FOUND = declare(
    "source.tag_not_found", "not_found", "The source does not have this tag.", "Check the name; it is case-sensitive."
)

# Webhooks.
WEBHOOK_NOT_FOUND = declare(
    "webhook.not_found", "not_found", "There is no such webhook, or the caller may not see it.", "Check `webhookId`."
)
WEBHOOK_ID_MISMATCH = declare(
    "webhook.id_mismatch", "invalid", "The id in the body differs from that in the path.", "Send the same id in both."
)
WEBHOOK_STATUS = declare(
    "webhook.status",
    "invalid",
    "A webhook in `error` can only be set to `created`.",
    "Set `created`, to start it again.",
)
WEBHOOK_SECRET = declare(
    "webhook.secret",
    "invalid",
    "`api_key_name` and `api_key_value` belong together, and the value is never returned.",
    "Send both.",
)
WEBHOOK_HEADER = declare(
    "webhook.header",
    "invalid",
    "The header of the webhook is not one that may be set.",
    "Read `detail`: it names the rule.",
)
WEBHOOK_FILTER = declare(
    "webhook.filter",
    "invalid",
    "The webhook names a flow or source that the caller may not read.",
    "Leave it out, or ask for the right to read it.",
)
WEBHOOK_OWNER = declare(
    "webhook.owner", "forbidden", "The webhook belongs to another caller.", "Ask its owner, or create another one."
)

# Rights.
RIGHTS = declare(
    "access.not_permitted",
    "forbidden",
    "None of the caller's groups grants this on the resource.",
    "Ask those who grant rights (docs/authorisation.md).",
)
RIGHTS_CREATE = declare(
    "access.creation",
    "forbidden",
    "None of the caller's groups may create this.",
    "Ask those who grant rights (docs/authorisation.md).",
)
RIGHTS_CLASSES = declare(
    "access.classes",
    "forbidden",
    "The change of `auth_classes` takes permissions that the caller lacks, or classes are missing.",
    "Read `detail`, and ask those who grant rights.",
)
RIGHTS_RETENTION = declare(
    "access.retention",
    "forbidden",
    "A retention tag deletes media, which the caller may not do.",
    "Ask for the right to delete.",
)
CLASSES_SPREAD = declare(
    "access.spread",
    "invalid",
    "The change of classes would concern more resources than one request may change.",
    "Change the classes of the collected flows first.",
)
RETENTION_TAG = declare(
    "flow.retention_tag",
    "invalid",
    "A retention tag does not have a usable value.",
    "Use one positive number of seconds, such as `900`.",
)

# Analytics.
ANALYTICS_UNKNOWN = declare(
    "analytics.unknown", "not_found", "There is no such view or question.", "Take a name from `GET /analytics`."
)
ANALYTICS_PARAMETER = declare(
    "analytics.parameter",
    "invalid",
    "A parameter of the question is unknown or outside its range.",
    "Take the parameters from `GET /analytics`.",
)
ANALYTICS_SQL = declare(
    "analytics.sql",
    "invalid",
    "The SQL is missing, is not one SELECT over the views, or is rejected by the database.",
    "Correct the query (docs/analytics.md).",
)
JOB_NOT_FOUND = declare("job.not_found", "not_found", "There is no such job.", "List the jobs again.")
JOB_RUNNING = declare(
    "job.running", "invalid", "The job is being worked on, and cannot be stopped in the middle.", "Wait until it ends."
)
