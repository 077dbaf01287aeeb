-- Everything counted of a run.
SELECT version_id, step, kind, name, sum(n)::bigint, sum(attempts)::bigint
FROM step_counts
WHERE run_id = ?
GROUP BY version_id, step, kind, name
