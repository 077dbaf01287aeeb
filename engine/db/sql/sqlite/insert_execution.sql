INSERT INTO executions (
    bucket, enrollment, step, visit, redrive, status, failure, text, http_status, attempts,
    arm, credential_version, started_at, ended_at, seen
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
