-- What re-entry rules ask about: a set of users' passages through a journey, newest first.
-- Takes the journey and a JSON array of [bucket, id].
SELECT e.user_id, e.key, e.bucket, e.id, e.entered_at, e.ended_at, e.outcome, e.run_id
FROM jsonb_array_elements(?2::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM enrollments
    WHERE bucket = (wanted ->> 0)::smallint AND user_id = wanted ->> 1 AND journey = ?1
    OFFSET 0  -- each user by the index, whatever the planner thinks of the set
) AS e
ORDER BY e.id DESC
