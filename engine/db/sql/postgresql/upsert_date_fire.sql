-- What has let him in stays as it is.
INSERT INTO date_fires (bucket, user_id, journey, trigger, value, due_at, done_at)
SELECT
    (new ->> 0)::smallint, new ->> 1, new ->> 2, (new ->> 3)::bigint, (new ->> 4)::bigint,
    (new ->> 5)::bigint, (new ->> 6)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
ON CONFLICT (bucket, user_id, journey, trigger, value) DO UPDATE
SET due_at = excluded.due_at, done_at = excluded.done_at
WHERE date_fires.done_at IS NULL
