"""A static site about the published tables: pages that need no server of their own."""
