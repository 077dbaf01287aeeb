-- One more request under the same fence; without the refresh token, where it was refused.
UPDATE token_states
SET
    requests = requests + 1, lease_until = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + ?,
    sealed_refresh = CASE WHEN ? THEN NULL ELSE sealed_refresh END
WHERE profile_id = ? AND fence = ?
