-- Passages (of one run, unless that is NULL) whose time comes after one instant and by another: bucket by
-- bucket as the JSON array of buckets has them, in due order within each. Each LIMIT keeps the
-- planner from reading a table whole.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts
FROM jsonb_array_elements_text(?1::jsonb) AS owned
CROSS JOIN LATERAL (
    SELECT *
    FROM enrollments
    WHERE
        bucket = owned::smallint AND wake_at > ?2 AND wake_at <= ?3
        AND (?4::bigint IS NULL OR run_id = ?4)
    ORDER BY wake_at
    LIMIT ?5
) AS e
CROSS JOIN LATERAL (SELECT * FROM users WHERE bucket = e.bucket AND id = e.user_id LIMIT 1) AS u
LIMIT ?5
