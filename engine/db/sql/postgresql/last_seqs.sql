-- The last fact of each of a set of users. Takes a JSON array of [bucket, id].
SELECT wanted ->> 1, (
    SELECT max(f.seq)
    FROM facts AS f
    WHERE f.bucket = (wanted ->> 0)::smallint AND f.user_id = wanted ->> 1
)
FROM jsonb_array_elements(?1::jsonb) AS wanted
