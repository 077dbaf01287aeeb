-- The newest events of some names of a set of users. Takes a JSON array of [bucket, id, name], and
-- how many of each, but one.
SELECT f.user_id, f.name, f.seq, f.at, f.depth, f.message_id, f.data
FROM jsonb_array_elements(?1::jsonb) AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM facts
    WHERE
        bucket = (wanted ->> 0)::smallint AND user_id = wanted ->> 1 AND name = wanted ->> 2
        AND kind = 0
        AND at >= coalesce((
            SELECT n.at
            FROM facts AS n
            WHERE
                n.bucket = (wanted ->> 0)::smallint AND n.user_id = wanted ->> 1
                AND n.name = wanted ->> 2 AND n.kind = 0
            ORDER BY n.at DESC
            LIMIT 1 OFFSET ?2
        ), -9223372036854775808)
    OFFSET 0  -- each by the index, whatever the planner thinks of the set
) AS f
ORDER BY f.at, f.seq
