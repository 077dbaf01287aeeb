-- Passages of a set of users that sleep on: what was written of the users may touch them. Takes a
-- JSON array of [bucket, id] and the present.
SELECT e.id, e.bucket, e.user_id, e.version_id
FROM json_each(?1) AS wanted
CROSS JOIN enrollments AS e INDEXED BY enrollments_passage
    ON e.bucket = wanted.value ->> 0 AND e.user_id = wanted.value ->> 1
WHERE e.state = 0 AND e.outcome IS NULL AND e.wake_at > ?2
