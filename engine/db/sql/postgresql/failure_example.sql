-- One user a step failed for in this way.
SELECT e.user_id, x.text
FROM executions AS x
JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment
WHERE
    x.step = ?2 AND x.status = 2 AND x.failure = ?3
    AND e.version_id = ?4 AND e.run_id = ?1
LIMIT 1
