INSERT INTO enrollments (
    bucket, id, user_id, journey, key, slot, version_id, run_id, state, reason, position,
    started, wake_at, entered_at, ended_at, outcome, data,
    goals_until
)
SELECT
    (new ->> 0)::smallint, (new ->> 1)::bigint, new ->> 2, new ->> 3, new ->> 4,
    (new ->> 5)::bigint, (new ->> 6)::integer, (new ->> 7)::bigint, (new ->> 8)::smallint,
    (new ->> 9)::smallint, (new ->> 10)::integer, (new ->> 11)::bigint, (new ->> 12)::bigint,
    (new ->> 13)::bigint, (new ->> 14)::bigint, new ->> 15, new ->> 16, (new ->> 17)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
