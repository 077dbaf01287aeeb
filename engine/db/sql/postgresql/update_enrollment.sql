UPDATE enrollments
SET
    slot = (new ->> 2)::bigint, state = (new ->> 3)::smallint, reason = (new ->> 4)::smallint,
    position = (new ->> 5)::integer,
    started = (new ->> 6)::bigint, wake_at = (new ->> 7)::bigint, ended_at = (new ->> 8)::bigint,
    outcome = new ->> 9, data = new ->> 10,
    goals_until = (new ->> 11)::bigint
FROM jsonb_array_elements(?::jsonb) AS new
WHERE enrollments.bucket = (new ->> 0)::smallint AND enrollments.id = (new ->> 1)::bigint
