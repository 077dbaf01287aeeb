-- Those of a set of messages that were received. Takes a JSON array of [bucket, user id, message id].
SELECT f.user_id, f.message_id
FROM json_each(?1) AS wanted
CROSS JOIN facts AS f
    ON f.bucket = wanted.value ->> 0 AND f.user_id = wanted.value ->> 1
    AND f.message_id = wanted.value ->> 2
