-- Calls of one endpoint and journey (and run, unless that is NULL) that may be tried, with the passages that made them: bucket by bucket
-- as the JSON array of buckets has them, in due order within each.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts, c.step, c.visit, c.endpoint, c.method, c.target, c.headers, c.content_type, c.body, c.key,
    c.attempts, c.tries, c.first_at, c.started_by, c.failure,
    c.next_try_at, c.redrive, c.apply_outputs
FROM json_each(?1) AS owned
CROSS JOIN calls AS c
    ON c.bucket = owned.value AND c.endpoint = ?2 AND c.journey = ?3 AND c.next_try_at <= ?4
    AND (?5 IS NULL OR c.run_id = ?5)
CROSS JOIN enrollments AS e ON e.bucket = c.bucket AND e.id = c.enrollment
CROSS JOIN users AS u ON u.bucket = e.bucket AND u.id = e.user_id
LIMIT ?6
