-- At most once: the call is marked before the wire is touched.
UPDATE calls
SET started_by = ?
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = 0
