-- Those of a set of messages that were received. Takes a JSON array of [bucket, user id, message id].
SELECT f.user_id, f.message_id
FROM jsonb_array_elements(?1::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM facts
    WHERE
        bucket = (wanted ->> 0)::smallint AND user_id = wanted ->> 1
        AND message_id = wanted ->> 2
    LIMIT 1
) AS f
