-- At most once: the call is marked before the wire is touched.
UPDATE calls
SET started_by = new ->> 5
FROM jsonb_array_elements(?::jsonb) AS new
WHERE
    calls.bucket = (new ->> 0)::smallint AND calls.enrollment = (new ->> 1)::bigint
    AND calls.step = (new ->> 2)::smallint
    AND calls.visit = (new ->> 3)::smallint AND calls.redrive = (new ->> 4)::smallint
