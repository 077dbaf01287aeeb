-- Passages of a set of users that sleep on: what was written of the users may touch them. Takes a
-- JSON array of [bucket, id] and the present.
SELECT e.id, e.bucket, e.user_id, e.version_id
FROM jsonb_array_elements(?1::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM enrollments
    WHERE bucket = (wanted ->> 0)::smallint AND user_id = wanted ->> 1
    OFFSET 0  -- each user by the index, whatever the planner thinks of the set
) AS e
WHERE e.state = 0 AND e.outcome IS NULL AND e.wake_at > ?2
