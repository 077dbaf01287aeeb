INSERT INTO runs (
    id, journey, version_id, source, state, position, total, skipped, token_base, opened_at,
    block, stripe
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
