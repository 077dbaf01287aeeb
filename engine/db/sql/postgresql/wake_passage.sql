-- A passage is due: something that it listens to has changed.
UPDATE enrollments
SET wake_at = (new ->> 2)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
WHERE enrollments.bucket = (new ->> 0)::smallint AND enrollments.id = (new ->> 1)::bigint
AND enrollments.state = 0
