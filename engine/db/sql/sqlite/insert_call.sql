INSERT INTO calls (
    bucket, enrollment, step, visit, redrive, run_id, endpoint, method, target, headers,
    content_type, body, key, attempts, tries, next_try_at, journey
)
VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)
