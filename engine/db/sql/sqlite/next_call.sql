-- When the next call of an endpoint may be tried. Takes a JSON array of buckets.
SELECT min((
    SELECT min(c.next_try_at)
    FROM calls AS c
    WHERE
        c.bucket = owned.value AND c.endpoint = ?2 AND c.next_try_at > ?3 AND (?4 IS NULL OR c.run_id = ?4)
))
FROM json_each(?1) AS owned
