-- At most once: the call is marked before the wire is touched.
UPDATE calls
SET started_by = new.column6
FROM (VALUES (?, ?, ?, ?, ?, ?)) AS new
WHERE
    calls.bucket = new.column1 AND calls.enrollment = new.column2 AND calls.step = new.column3
    AND calls.visit = new.column4 AND calls.redrive = new.column5
