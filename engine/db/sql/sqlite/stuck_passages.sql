-- Passages of a run that nothing will ever move: no wait with a time, no call that is to be tried.
SELECT count(*)
FROM enrollments AS e
WHERE
    e.run_id = ? AND e.state <> 2 AND e.wake_at IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM calls AS c
        WHERE c.bucket = e.bucket AND c.enrollment = e.id AND c.next_try_at IS NOT NULL
            AND c.redrive = 0
    )
