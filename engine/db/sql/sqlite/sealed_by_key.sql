-- How many values are sealed under each key: its id is the second part of a sealed value.
SELECT substr(sealed, 4, instr(substr(sealed, 4), '.') - 1), count(*)
FROM (
    SELECT sealed FROM auth_secrets
    UNION ALL SELECT sealed_token FROM token_states
    UNION ALL SELECT sealed_refresh FROM token_states
    UNION ALL SELECT sealed FROM hooks
    UNION ALL SELECT previous_sealed FROM hooks
) AS every
WHERE sealed IS NOT NULL
GROUP BY 1
