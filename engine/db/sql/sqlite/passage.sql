-- One passage, and the call it is in if it is in one.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts, c.step, c.visit, c.endpoint, c.method, c.target, c.headers, c.content_type, c.body, c.key,
    c.attempts, c.tries, c.first_at, c.started_by, c.failure,
    c.next_try_at, c.redrive, c.apply_outputs
FROM enrollments AS e
JOIN users AS u ON u.bucket = e.bucket AND u.id = e.user_id
LEFT JOIN calls AS c
    ON c.bucket = e.bucket AND c.enrollment = e.id AND c.next_try_at IS NOT NULL
    AND c.redrive = 0
WHERE e.bucket = ? AND e.id = ?
