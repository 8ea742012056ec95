"""What the database and the archive hold, how fresh and sound it is, and alerts about it."""
