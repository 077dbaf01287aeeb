"""What of API tokens, operators and sessions stands in the database: nothing that lets one in."""
