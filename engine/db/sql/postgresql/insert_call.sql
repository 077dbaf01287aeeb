INSERT INTO calls (
    bucket, enrollment, step, visit, redrive, run_id, endpoint, method, target, headers,
    content_type, body, key, attempts, tries, next_try_at, journey
)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, (new ->> 2)::smallint, (new ->> 3)::smallint, 0,
    (new ->> 4)::bigint, new ->> 5, new ->> 6, new ->> 7, new ->> 8, new ->> 9,
    (new ->> 10)::bytea, new ->> 11, 0, 0, (new ->> 12)::bigint, new ->> 13
FROM jsonb_array_elements(?::jsonb) AS new
