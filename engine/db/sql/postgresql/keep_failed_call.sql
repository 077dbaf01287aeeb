-- A call that failed for good stays for redrive, out of the way of what is due.
UPDATE calls
SET
    attempts = (new ->> 5)::smallint, tries = (new ->> 6)::smallint,
    first_at = (new ->> 7)::bigint,
    failure = new ->> 8, finished_at = (new ->> 9)::bigint, next_try_at = NULL
FROM jsonb_array_elements(?::jsonb) AS new
WHERE
    calls.bucket = (new ->> 0)::smallint AND calls.enrollment = (new ->> 1)::bigint
    AND calls.step = (new ->> 2)::smallint
    AND calls.visit = (new ->> 3)::smallint AND calls.redrive = (new ->> 4)::smallint
