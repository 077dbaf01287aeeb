-- A passage is due: something that it listens to has changed.
UPDATE enrollments
SET wake_at = new.column3
FROM (VALUES (?, ?, ?)) AS new
WHERE enrollments.bucket = new.column1 AND enrollments.id = new.column2 AND enrollments.state = 0
