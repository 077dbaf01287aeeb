-- What re-entry rules ask about: a set of users' passages through a journey, newest first.
-- Takes the journey and a JSON array of [bucket, id].
SELECT e.user_id, e.key, e.bucket, e.id, e.entered_at, e.ended_at, e.outcome, e.run_id
FROM json_each(?2) AS wanted
CROSS JOIN enrollments AS e INDEXED BY enrollments_passage
    ON e.bucket = wanted.value ->> 0 AND e.user_id = wanted.value ->> 1 AND e.journey = ?1
ORDER BY e.id DESC
