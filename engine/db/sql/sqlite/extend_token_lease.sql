-- One more request under the same fence; without the refresh token, where it was refused.
UPDATE token_states
SET
    requests = requests + 1, lease_until = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) + ?,
    sealed_refresh = CASE WHEN ? THEN NULL ELSE sealed_refresh END
WHERE profile_id = ? AND fence = ?
