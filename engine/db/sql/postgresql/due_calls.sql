-- Calls of one endpoint and journey (and run, unless that is NULL) that may be tried, with the passages that
-- made them: bucket by bucket as the JSON array of buckets has them, in due order within each. Each
-- LIMIT keeps the planner from reading a table whole.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts, c.step, c.visit, c.endpoint, c.method, c.target, c.headers, c.content_type, c.body,
    c.key, c.attempts, c.tries, c.first_at, c.started_by, c.failure,
    c.next_try_at, c.redrive, c.apply_outputs
FROM jsonb_array_elements_text(?1::jsonb) AS owned
CROSS JOIN LATERAL (
    SELECT *
    FROM calls
    WHERE
        bucket = owned::smallint AND endpoint = ?2 AND journey = ?3 AND next_try_at <= ?4
        AND (?5::bigint IS NULL OR run_id = ?5)
    ORDER BY next_try_at
    LIMIT ?6
) AS c
CROSS JOIN LATERAL (
    SELECT * FROM enrollments WHERE bucket = c.bucket AND id = c.enrollment LIMIT 1
) AS e
CROSS JOIN LATERAL (SELECT * FROM users WHERE bucket = e.bucket AND id = e.user_id LIMIT 1) AS u
LIMIT ?6
