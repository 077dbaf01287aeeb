INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, (new ->> 2)::integer, (new ->> 3)::smallint,
    (new ->> 4)::smallint, new ->> 5, (new ->> 6)::bigint, (new ->> 7)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
ON CONFLICT (bucket, run_id, version_id, step, kind, name) DO UPDATE
SET n = step_counts.n + excluded.n, attempts = step_counts.attempts + excluded.attempts
