-- When, after an instant, the next sleeper wakes. Takes a JSON array of buckets.
SELECT min((
    SELECT min(e.wake_at)
    FROM enrollments AS e
    WHERE e.bucket = owned.value AND e.wake_at > ?2 AND (?3 IS NULL OR e.run_id = ?3)
))
FROM json_each(?1) AS owned
