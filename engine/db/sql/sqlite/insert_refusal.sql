INSERT INTO refusals (bucket, run_id, user_id, reason, at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (bucket, run_id, user_id) DO UPDATE SET reason = excluded.reason, at = excluded.at
