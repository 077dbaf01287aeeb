-- The users of a set that exist. Takes a JSON array of [bucket, id].
SELECT u.bucket, u.id, u.timezone, u.attributes, u.contacts
FROM jsonb_array_elements(?::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM users WHERE bucket = (wanted ->> 0)::smallint AND id = wanted ->> 1 LIMIT 1
) AS u
