-- A call that failed for good stays for redrive, out of the way of what is due.
UPDATE calls
SET attempts = ?, tries = ?, first_at = ?, failure = ?, finished_at = ?, next_try_at = NULL
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = 0
