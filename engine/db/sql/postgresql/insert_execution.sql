INSERT INTO executions (
    bucket, enrollment, step, visit, redrive, status, failure, text, http_status, attempts, arm,
    credential_version, started_at, ended_at
)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, (new ->> 2)::smallint, (new ->> 3)::smallint, 0,
    (new ->> 4)::smallint, new ->> 5, new ->> 6, (new ->> 7)::smallint, (new ->> 8)::smallint,
    new ->> 9, (new ->> 10)::integer, (new ->> 11)::bigint, (new ->> 12)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
