-- When the first sleeper of a run wakes.
SELECT min(wake_at) FROM enrollments WHERE run_id = ? AND wake_at IS NOT NULL
