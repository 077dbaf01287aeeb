INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (bucket, run_id, version_id, step, kind, name) DO UPDATE
SET n = n + excluded.n, attempts = attempts + excluded.attempts
