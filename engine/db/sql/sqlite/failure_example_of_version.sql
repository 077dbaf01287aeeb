-- One user of a version a step failed for in this way. The order of the join is meant: failures are
-- the fewer.
SELECT e.user_id, x.text
FROM executions AS x
CROSS JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment
WHERE x.step = ? AND x.status = 2 AND x.failure = ? AND e.version_id = ?
LIMIT 1
