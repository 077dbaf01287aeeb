-- The users of a set that exist. Takes a JSON array of [bucket, id].
SELECT u.bucket, u.id, u.timezone, u.attributes, u.contacts
FROM json_each(?) AS wanted
JOIN users AS u ON u.bucket = wanted.value ->> 0 AND u.id = wanted.value ->> 1
