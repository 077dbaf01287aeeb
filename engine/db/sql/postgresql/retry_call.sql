UPDATE calls
SET
    attempts = (new ->> 5)::smallint, tries = (new ->> 6)::smallint,
    first_at = (new ->> 7)::bigint,
    next_try_at = (new ->> 8)::bigint, failure = new ->> 9, started_by = NULL
FROM jsonb_array_elements(?::jsonb) AS new
WHERE
    calls.bucket = (new ->> 0)::smallint AND calls.enrollment = (new ->> 1)::bigint
    AND calls.step = (new ->> 2)::smallint
    AND calls.visit = (new ->> 3)::smallint AND calls.redrive = (new ->> 4)::smallint
