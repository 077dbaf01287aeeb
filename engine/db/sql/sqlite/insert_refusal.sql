INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason, at, seen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (bucket, user_id, seq, run_id, version_id, trigger) DO UPDATE
SET reason = excluded.reason, at = excluded.at, seen = excluded.seen
