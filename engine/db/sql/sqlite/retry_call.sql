UPDATE calls
SET attempts = ?, tries = ?, first_at = ?, next_try_at = ?, failure = ?, started_by = NULL
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = 0
