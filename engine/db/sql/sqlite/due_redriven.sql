-- Failed calls of an endpoint and journey that are sent again and may be tried, with the passages that
-- made them.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts, c.step, c.visit, c.endpoint, c.method, c.target, c.headers, c.content_type, c.body, c.key,
    c.attempts, c.tries, c.first_at, c.started_by, c.failure, c.next_try_at, c.redrive,
    c.apply_outputs
FROM calls AS c
JOIN enrollments AS e ON e.bucket = c.bucket AND e.id = c.enrollment
JOIN users AS u ON u.bucket = e.bucket AND u.id = e.user_id
WHERE c.endpoint = ? AND c.journey = ? AND c.next_try_at <= ? AND c.redrive > 0
LIMIT ?
