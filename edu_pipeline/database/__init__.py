"""The target database: connections, locks, migrations, COPY, the ledger, views, rights."""
