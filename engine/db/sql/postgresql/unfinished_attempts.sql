-- Requests of calls that will be tried again; they are in no count yet.
SELECT endpoint, sum(attempts)
FROM calls
WHERE run_id = ? AND next_try_at IS NOT NULL
GROUP BY endpoint
