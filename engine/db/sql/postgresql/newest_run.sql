SELECT id, journey, version_id, source, state, position, total, skipped, token_base,
    block, stripe
FROM runs
WHERE journey = ? AND source = ?
ORDER BY id DESC
LIMIT 1
