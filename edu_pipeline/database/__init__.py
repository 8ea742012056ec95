"""The target database: its server, connections, locks, migrations, COPY, the ledger, views, rights."""
