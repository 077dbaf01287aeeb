INSERT INTO facts (bucket, user_id, seq, kind, name, at, depth, message_id, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
