DELETE FROM calls
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = 0
