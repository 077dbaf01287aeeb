DELETE FROM calls
WHERE (bucket, enrollment, step, visit, redrive) IN (VALUES (?, ?, ?, ?, ?))
