"""What of credentials stands in the database: nothing that is plain."""
