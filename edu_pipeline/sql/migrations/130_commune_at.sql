-- The commune that a code, old or new, leads to on a given day. The body is parsed here and kept as it is understood, with
-- tables as objects: so it works from any search_path, and on when a full rebuild has swapped the names of two schemas.
CREATE FUNCTION commune_at(code text, day date) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE followed AS (
        SELECT 0 AS step, $1 AS code
        UNION ALL
        SELECT followed.step + 1, next.code_commune::text
        FROM followed CROSS JOIN LATERAL (
            SELECT gone.code_commune
            FROM passage_communes AS gone
            WHERE gone.code_ancien = followed.code AND gone.date_effet <= $2 AND NOT EXISTS (
                -- kept through that change, or given again since
                SELECT FROM passage_communes AS given
                WHERE given.code_commune = followed.code AND given.date_effet BETWEEN gone.date_effet AND $2
            )
            ORDER BY gone.date_effet DESC, gone.part DESC, gone.code_commune
            LIMIT 1
        ) AS next
    ), later AS (
        SELECT min(date_effet) AS first_change FROM passage_communes
        WHERE $1 IN (code_ancien, code_commune) AND date_effet > $2
    )
    SELECT followed.code
    FROM followed
    WHERE followed.step > 0
        OR EXISTS (SELECT FROM passage_communes AS given WHERE given.code_commune = $1 AND given.date_effet <= $2)
        OR EXISTS (
            SELECT FROM passage_communes AS changed
            WHERE changed.code_ancien = $1 AND changed.date_effet = (SELECT first_change FROM later)
        )
        OR (SELECT first_change FROM later) IS NULL
            AND EXISTS (SELECT FROM info_communes AS known WHERE known.code_commune = $1)
    ORDER BY followed.step DESC
    LIMIT 1;
END;
COMMENT ON FUNCTION commune_at(text, date) IS
    'The INSEE code that was in force on a day for the commune with this code: the code itself, or that of the commune that it had merged into or become; of a split commune that has lost its code, the part with most people. NULL: the code is not known, or there was no such commune yet. For changes since 1999, by passage_communes.';
