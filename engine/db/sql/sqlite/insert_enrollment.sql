INSERT INTO enrollments (
    bucket, id, user_id, journey, key, slot, version_id, run_id,
    state, reason, position, started, wake_at, entered_at, ended_at, outcome, data,
    goals_until
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
