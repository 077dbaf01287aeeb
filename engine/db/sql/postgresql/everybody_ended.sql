-- Whether every row of a run was taken, and how many of those admitted (7) have not ended (5).
SELECT
    r.position >= r.total,
    (
        SELECT coalesce(sum(CASE c.kind WHEN 7 THEN c.n WHEN 5 THEN -c.n END), 0)::bigint
        FROM step_counts AS c
        WHERE c.run_id = r.id AND c.step = -1
    )
FROM runs AS r
WHERE r.id = ?
