"""What is in the database and the archive, how fresh and sound it is, and who is told."""
