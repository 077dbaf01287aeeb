INSERT INTO schedule_fires (bucket, journey, trigger, zone, fire_at, cursor)
SELECT
    (new ->> 0)::smallint, new ->> 1, (new ->> 2)::bigint, new ->> 3, (new ->> 4)::bigint, new ->> 5
FROM jsonb_array_elements(?::jsonb) AS new
ON CONFLICT (bucket, journey, trigger, zone) DO UPDATE
SET fire_at = excluded.fire_at, cursor = excluded.cursor
