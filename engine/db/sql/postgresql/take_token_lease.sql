-- The lease, if it is free (as in token_row) and the fence still what was seen.
UPDATE token_states
SET
    fence = fence + 1, lease_owner = ?, requests = requests + 1, profile_version = ?,
    lease_until = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + ?
WHERE
    profile_id = ? AND fence = ? AND profile_version <= ?
    AND lease_until - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    NOT BETWEEN 1 AND 60000000
