-- Passages (of one run, unless that is NULL) whose time comes after one instant and by another: bucket by bucket as
-- the JSON array of buckets has them, in due order within each.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts
FROM json_each(?1) AS owned
CROSS JOIN enrollments AS e
    ON e.bucket = owned.value AND e.wake_at > ?2 AND e.wake_at <= ?3 AND (?4 IS NULL OR e.run_id = ?4)
CROSS JOIN users AS u ON u.bucket = e.bucket AND u.id = e.user_id
LIMIT ?5
