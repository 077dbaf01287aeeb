INSERT INTO schedule_fires (bucket, journey, trigger, zone, fire_at, cursor)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (bucket, journey, trigger, zone) DO UPDATE
SET fire_at = excluded.fire_at, cursor = excluded.cursor
