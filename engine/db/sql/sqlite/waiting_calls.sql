-- For each endpoint and journey with unfinished calls (of one run, unless that is NULL): when the first of them
-- may be tried.
SELECT endpoint, journey, min(next_try_at)
FROM calls
WHERE next_try_at IS NOT NULL AND (?1 IS NULL OR run_id = ?1)
GROUP BY endpoint, journey
