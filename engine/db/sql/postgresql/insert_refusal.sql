INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason, at, seen)
SELECT DISTINCT ON (new ->> 0, new ->> 1, new ->> 2, new ->> 3, new ->> 4, new ->> 5)
    (new ->> 0)::smallint, new ->> 1, (new ->> 2)::bigint, (new ->> 3)::bigint,
    (new ->> 4)::bigint, (new ->> 5)::smallint, new ->> 6, (new ->> 7)::bigint, new ->> 8
FROM jsonb_array_elements(?::jsonb) WITH ORDINALITY AS given (new, place)
ORDER BY new ->> 0, new ->> 1, new ->> 2, new ->> 3, new ->> 4, new ->> 5, place DESC
ON CONFLICT (bucket, user_id, seq, run_id, version_id, trigger) DO UPDATE
SET reason = excluded.reason, at = excluded.at, seen = excluded.seen
