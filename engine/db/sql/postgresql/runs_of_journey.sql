-- A journey's runs, newest first; with a second parameter only the one with that id.
SELECT id, version_id, state, position, total, skipped, token_base, token_end, opened_at, finished_at
FROM runs
WHERE journey = ?1 AND (?2::bigint IS NULL OR id = ?2)
ORDER BY id DESC
