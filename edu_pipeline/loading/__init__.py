"""The way of the data into a table: read, correct, transform, contract, difference, write."""
