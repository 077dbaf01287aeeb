-- What was told and not received yet: bucket by bucket as the JSON array of buckets has them, oldest
-- first within each.
SELECT i.bucket, i.id, i.user_id, i.kind, i.name, i.at, i.message_id, i.data
FROM json_each(?1) AS owned
CROSS JOIN inbox AS i ON i.bucket = owned.value
LIMIT ?2
