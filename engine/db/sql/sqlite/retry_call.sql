UPDATE calls
SET
    attempts = new.column6, tries = new.column7, first_at = new.column8,
    next_try_at = new.column9, failure = new.column10, started_by = NULL
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS new
WHERE
    calls.bucket = new.column1 AND calls.enrollment = new.column2 AND calls.step = new.column3
    AND calls.visit = new.column4 AND calls.redrive = new.column5
