-- The last fact of each of a set of users. Takes a JSON array of [bucket, id].
SELECT wanted.value ->> 1, (
    SELECT max(f.seq)
    FROM facts AS f
    WHERE f.bucket = wanted.value ->> 0 AND f.user_id = wanted.value ->> 1
)
FROM json_each(?1) AS wanted
