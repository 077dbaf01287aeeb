DELETE FROM inbox
WHERE (bucket, id) IN (VALUES (?, ?))
