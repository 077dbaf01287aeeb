INSERT INTO users (bucket, id, timezone, attributes)
VALUES (?, ?, ?, ?)
ON CONFLICT (bucket, id) DO UPDATE
SET timezone = excluded.timezone, attributes = excluded.attributes
