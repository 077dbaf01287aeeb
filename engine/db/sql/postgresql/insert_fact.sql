INSERT INTO facts (bucket, user_id, seq, kind, name, at, depth, message_id, data)
SELECT
    (new ->> 0)::smallint, new ->> 1, (new ->> 2)::bigint, (new ->> 3)::smallint, new ->> 4,
    (new ->> 5)::bigint, (new ->> 6)::smallint, new ->> 7, new ->> 8
FROM jsonb_array_elements(?::jsonb) AS new
