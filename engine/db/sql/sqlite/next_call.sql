-- When the next call of an endpoint and journey may be tried. Takes a JSON array of buckets.
SELECT min((
    SELECT min(c.next_try_at)
    FROM calls AS c
    WHERE
        c.bucket = owned.value AND c.endpoint = ?2 AND c.journey = ?3 AND c.next_try_at > ?4
        AND (?5 IS NULL OR c.run_id = ?5)
))
FROM json_each(?1) AS owned
