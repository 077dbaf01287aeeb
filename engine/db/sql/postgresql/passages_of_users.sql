-- The passages of a set of users that something may still move, or whose goals may still count at an
-- instant, each with the call it is in. Takes a JSON array of [bucket, id] and the instant.
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts, c.step, c.visit, c.endpoint, c.method, c.target, c.headers, c.content_type, c.body,
    c.key, c.attempts, c.tries, c.first_at, c.started_by, c.failure,
    c.next_try_at, c.redrive, c.apply_outputs
FROM jsonb_array_elements(?1::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM enrollments
    WHERE bucket = (wanted ->> 0)::smallint AND user_id = wanted ->> 1
    OFFSET 0  -- each user by the index, whatever the planner thinks of the set
) AS e
CROSS JOIN LATERAL (SELECT * FROM users WHERE bucket = e.bucket AND id = e.user_id LIMIT 1) AS u
LEFT JOIN LATERAL (
    SELECT *
    FROM calls
    WHERE bucket = e.bucket AND enrollment = e.id AND next_try_at IS NOT NULL
        AND redrive = 0
    LIMIT 1
) AS c ON TRUE
WHERE e.outcome IS NULL OR e.goals_until >= ?2
ORDER BY e.id
