-- What was told and not received yet: bucket by bucket as the JSON array of buckets has them, oldest
-- first within each. The LIMIT keeps the planner from reading the table whole.
SELECT i.bucket, i.id, i.user_id, i.kind, i.name, i.at, i.message_id, i.data
FROM jsonb_array_elements_text(?1::jsonb) AS owned
CROSS JOIN LATERAL (
    SELECT * FROM inbox WHERE bucket = owned::smallint ORDER BY id LIMIT ?2
) AS i
LIMIT ?2
