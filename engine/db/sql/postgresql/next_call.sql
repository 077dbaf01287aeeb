-- When the next call of an endpoint and journey may be tried. Takes a JSON array of buckets.
SELECT min((
    SELECT min(c.next_try_at)
    FROM calls AS c
    WHERE
        c.bucket = owned::smallint AND c.endpoint = ?2 AND c.journey = ?3 AND c.next_try_at > ?4
        AND (?5::bigint IS NULL OR c.run_id = ?5)
))
FROM jsonb_array_elements_text(?1::jsonb) AS owned
