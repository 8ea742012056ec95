"""The tables, one by one: transforms on tiny frames, and on the publishers' real files."""
