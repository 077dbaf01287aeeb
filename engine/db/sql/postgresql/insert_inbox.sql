INSERT INTO inbox (bucket, id, user_id, kind, name, at, message_id, data)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, new ->> 2, (new ->> 3)::smallint, new ->> 4,
    (new ->> 5)::bigint, new ->> 6, new ->> 7
FROM jsonb_array_elements(?::jsonb) AS new
