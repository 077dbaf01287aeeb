-- When, after an instant, the next sleeper wakes. Takes a JSON array of buckets.
SELECT min((
    SELECT min(e.wake_at)
    FROM enrollments AS e
    WHERE
        e.bucket = owned::smallint AND e.wake_at > ?2
        AND (?3::bigint IS NULL OR e.run_id = ?3)
))
FROM jsonb_array_elements_text(?1::jsonb) AS owned
