-- A call that failed for good stays for redrive, out of the way of what is due.
UPDATE calls
SET
    attempts = new.column6, tries = new.column7, first_at = new.column8,
    failure = new.column9, finished_at = new.column10, next_try_at = NULL
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS new
WHERE
    calls.bucket = new.column1 AND calls.enrollment = new.column2 AND calls.step = new.column3
    AND calls.visit = new.column4 AND calls.redrive = new.column5
