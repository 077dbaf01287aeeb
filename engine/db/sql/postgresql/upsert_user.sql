INSERT INTO users (bucket, id, timezone, attributes, contacts)
SELECT
    (new ->> 0)::smallint, new ->> 1, new ->> 2, new ->> 3, new ->> 4
FROM jsonb_array_elements(?::jsonb) AS new
ON CONFLICT (bucket, id) DO UPDATE
SET timezone = excluded.timezone, attributes = excluded.attributes, contacts = excluded.contacts
