UPDATE enrollments
SET
    slot = ?, state = ?, reason = ?, position = ?, started = ?,
    wake_at = ?, ended_at = ?, outcome = ?, data = ?
WHERE bucket = ? AND id = ?
