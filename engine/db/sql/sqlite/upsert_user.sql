INSERT INTO users (bucket, id, timezone, attributes, contacts)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (bucket, id) DO UPDATE
SET timezone = excluded.timezone, attributes = excluded.attributes, contacts = excluded.contacts
