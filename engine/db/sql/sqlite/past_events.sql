-- The newest events of some names of a set of users. Takes a JSON array of [bucket, id, name], and
-- how many of each.
SELECT f.user_id, f.name, f.seq, f.at, f.depth, f.message_id, f.data
FROM json_each(?1) AS wanted
CROSS JOIN facts AS f INDEXED BY facts_named
    ON f.bucket = wanted.value ->> 0 AND f.user_id = wanted.value ->> 1
    AND f.name = wanted.value ->> 2 AND f.kind = 0
WHERE f.at >= coalesce((
    SELECT n.at
    FROM facts AS n
    WHERE
        n.bucket = f.bucket AND n.user_id = f.user_id AND n.name = f.name AND n.kind = 0
    ORDER BY n.at DESC
    LIMIT 1 OFFSET ?2
), f.at)
ORDER BY f.at, f.seq
