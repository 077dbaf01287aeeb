-- Those of a set of anonymous users who are linked to a known one. Takes a JSON array of [bucket, id].
SELECT l.id, l.user_id
FROM jsonb_array_elements(?::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM links WHERE bucket = (wanted ->> 0)::smallint AND id = wanted ->> 1 LIMIT 1
) AS l
