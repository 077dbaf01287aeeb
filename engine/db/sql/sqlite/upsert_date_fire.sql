-- What has let him in stays as it is.
INSERT INTO date_fires (bucket, user_id, journey, trigger, value, due_at, done_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (bucket, user_id, journey, trigger, value) DO UPDATE
SET due_at = excluded.due_at, done_at = excluded.done_at
WHERE date_fires.done_at IS NULL
