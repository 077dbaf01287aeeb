UPDATE runs SET position = ? WHERE id = ?
