UPDATE enrollments
SET
    slot = new.column3, state = new.column4, reason = new.column5, position = new.column6,
    started = new.column7, wake_at = new.column8, ended_at = new.column9,
    outcome = new.column10, data = new.column11,
    goals_until = new.column12
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS new
WHERE enrollments.bucket = new.column1 AND enrollments.id = new.column2
