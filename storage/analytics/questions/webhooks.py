"""Which webhooks are behind."""

from storage.analytics.questions.question import Question

BEHIND = Question(
    "webhooks-behind",
    "Webhooks with events that wait to be sent, and those that the server has given up.",
    """
    SELECT w.webhook_id, w.host, w.status, w.waiting, w.oldest, w.failing_since
    FROM webhooks AS w
    WHERE w.waiting > 0 OR w.failing_since IS NOT NULL OR w.status = 'error'
    ORDER BY w.waiting DESC, w.webhook_id
    """,
)
