INSERT INTO executions (
    bucket, enrollment, step, visit, redrive, status, failure, text, http_status, attempts, arm,
    credential_version, started_at, ended_at, seen
)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, (new ->> 2)::smallint, (new ->> 3)::smallint,
    (new ->> 4)::smallint,
    (new ->> 5)::smallint, new ->> 6, new ->> 7, (new ->> 8)::smallint, (new ->> 9)::smallint,
    new ->> 10, (new ->> 11)::integer, (new ->> 12)::bigint, (new ->> 13)::bigint,
    new ->> 14
FROM jsonb_array_elements(?::jsonb) AS new
