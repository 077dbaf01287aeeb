-- Those of a set of anonymous users who are linked to a known one. Takes a JSON array of [bucket, id].
SELECT l.id, l.user_id
FROM json_each(?) AS wanted
CROSS JOIN links AS l ON l.bucket = wanted.value ->> 0 AND l.id = wanted.value ->> 1
