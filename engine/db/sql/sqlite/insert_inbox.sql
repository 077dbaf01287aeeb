INSERT INTO inbox (bucket, id, user_id, kind, name, at, message_id, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
