DELETE FROM inbox
USING jsonb_array_elements(?::jsonb) AS new
WHERE inbox.bucket = (new ->> 0)::smallint AND inbox.id = (new ->> 1)::bigint
