-- For each endpoint and journey of a run with unfinished calls: when the first of them may be tried.
SELECT endpoint, journey, min(next_try_at)
FROM calls
WHERE next_try_at IS NOT NULL AND run_id = ?
GROUP BY endpoint, journey
