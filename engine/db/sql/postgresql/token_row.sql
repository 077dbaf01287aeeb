-- A profile's token row; whether its lease lasts is the database's word, by its own clock. One that
-- would last a minute was taken before that clock was put back.
SELECT
    profile_version, fence,
    lease_until - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint BETWEEN 1 AND 60000000,
    sealed_token, sealed_refresh, sealed_fence, fingerprint, soft_expiry, hard_expiry, failures,
    failure_text, failed_with, next_try_at, forced_count, next_forced_at, coalesce(secret_version, profile_version),
    coalesce(failed_at, next_try_at)
FROM token_states
WHERE profile_id = ?
