"""The checks of particular tables: against other tables, or of something that only they have.

Belongs here: these checks, and the list of them. Does not belong here: checks that any table can have (``figures.py``),
and the one so costly that it is not repeated for the same rows (``overlaps.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import Any, LiteralString

from psycopg import sql

from edu_pipeline.checks.every_commune import every_commune
from edu_pipeline.checks.overlaps import overlaps
from edu_pipeline.checks.subject import CheckSpec, Finding, Subject, examples_of, finding
from edu_pipeline.checks.successors import successors
from edu_pipeline.errors import EXAMPLES

NOT_IN_DIRECTORY = 0.02
"""Share of establishments that the directory may lack: it changes daily and lists only open ones."""

BENCHMARK = 3.0
"""Points of IPS by which a mean over establishments may differ from the publisher's mean over pupils: at most 2.0 in
2022-2023."""

CRIME_RATES = 0.02
"""Share by which a rate computed from numbers and populations may differ from the mean of the published rates."""

COLLEGES = 0.1
"""Share by which the number of collèges in the equipment file may differ from the directory's: 0.06 in 2024."""

LOW_MATCHES, MATCHES_BELOW = 0.5, 0.15
"""The lowest acceptable share of a département's segments that are placed, and how far it may be below the median."""

COVERED = 0.999
"""The lowest acceptable share of a commune's contour that its zones cover."""


def _in_directory(subject: Subject) -> Finding:
    absent = [
        uai
        for (uai,) in subject.ask(
            "SELECT uai FROM {table} WHERE {newest} AND uai NOT IN (SELECT uai FROM annuaire_education) ORDER BY 1",
            newest=subject.of_newest_year,
        )
    ]
    total = subject.ask("SELECT count(*) FROM {table} WHERE {newest}", newest=subject.of_newest_year)[0][0]
    text = (
        f"expected all but {NOT_IN_DIRECTORY:.0%} of the {total:,} establishments of the newest year in "
        f"annuaire_education, found {len(absent):,} missing{examples_of(absent)}."
    )
    numbers = {"absent": len(absent), "share": round(len(absent) / max(total, 1), 4), "examples": absent[:EXAMPLES]}
    remedy = "Check whether the directory lacks a département, and which of the two is behind."
    return finding(bool(total) and len(absent) <= NOT_IN_DIRECTORY * total, text, remedy, numbers)


def _benchmark_lycees(subject: Subject) -> Finding:
    means = subject.ask(
        "SELECT type_de_lycee, avg(ips), avg(CASE type_de_lycee WHEN 'LEGT' THEN ips_national_legt "
        "WHEN 'LPO' THEN ips_national_lpo WHEN 'LP' THEN ips_national_lp END) "
        "FROM {table} WHERE {newest} GROUP BY 1 ORDER BY 1",
        newest=subject.of_newest_year,
    )
    return _benchmark(means)


def _benchmark_colleges(subject: Subject) -> Finding:
    statement: LiteralString = "SELECT 'collèges', avg(ips), avg(ips_national) FROM {table} WHERE {newest}"
    return _benchmark(subject.ask(statement, newest=subject.of_newest_year))


def _benchmark(means: Sequence[tuple[Any, ...]]) -> Finding:
    """That mean IPS are close to the publisher's.

    Args:
        means: kind of establishment, mean over its establishments, the publisher's national mean.
    """
    compared = {
        str(kind): (float(mean), float(national)) for kind, mean, national in means if None not in (mean, national)
    }
    by_kind = ", ".join(f"{kind} {mean:.1f} (national: {national:.1f})" for kind, (mean, national) in compared.items())
    apart = max((abs(mean - national) for mean, national in compared.values()), default=None)
    without = [str(kind) for kind, mean, national in means if mean is None and national is not None]
    text = (
        f"expected the mean IPS within {BENCHMARK} points of the publisher's national benchmark, found "
        f"{by_kind or 'nothing to compare'}{'; no index of ' * bool(without)}{', '.join(without)}."
    )
    numbers = {
        "means": {kind: round(mean, 2) for kind, (mean, _) in compared.items()},
        "benchmarks": {kind: round(national, 2) for kind, (_, national) in compared.items()},
        "points_apart": None if apart is None else round(apart, 2),
    }
    remedy = "Look for a shifted column, and check whether the file covers the whole country."
    return finding(apart is not None and apart <= BENCHMARK and not without, text, remedy, numbers)


def _crime_rates(subject: Subject) -> Finding:
    """Rates computed again from the communes' published numbers and populations, against the mean of their rates."""
    rates = subject.ask(
        "WITH published AS ("
        " SELECT commune.code_commune, code_departement, code_commune_parent, indicateur, nombre,"
        " CASE indicateur WHEN 'Cambriolages de logement' THEN insee_log ELSE insee_pop END AS base"
        " FROM criminalite_2024 JOIN info_communes AS commune USING (code_commune)"
        " WHERE annee = (SELECT max(annee) FROM {table}) AND nombre IS NOT NULL"
        "), cities AS ("
        " SELECT code_commune, indicateur FROM published"
        " WHERE code_commune IN (SELECT code_commune_parent FROM info_communes)"
        "), rates AS ("
        " SELECT code_departement, indicateur, 1000.0 * sum(nombre) / nullif(sum(base), 0) AS rate"
        " FROM published AS part WHERE NOT EXISTS (SELECT FROM cities AS city"
        "  WHERE city.code_commune = part.code_commune_parent AND city.indicateur = part.indicateur)"
        " GROUP BY 1, 2"
        ") SELECT code_departement || ' ' || indicateur, taux_moyen_pour_mille, rate,"
        " abs(rate - taux_moyen_pour_mille) / greatest(taux_moyen_pour_mille, 0.01)"
        " FROM {table} FULL JOIN rates USING (code_departement, indicateur)"
        " WHERE code_departement <> 'FR' AND (taux_moyen_pour_mille IS NOT NULL OR rate IS NOT NULL)"
        " ORDER BY 4 DESC NULLS FIRST"
    )
    wrong = [row for row in rates if row[3] is None or row[3] > CRIME_RATES]
    examples = [f"{place}: {_rate(mean)} instead of {_rate(rate)}" for place, mean, rate, _ in wrong[:5]]
    text = (
        f"expected the mean rates of départements within {CRIME_RATES:.0%} of the communes' numbers over their "
        f"populations, found {len(wrong):,} of {len(rates):,} further apart{examples_of(examples)}."
    )
    numbers = {"compared": len(rates), "apart": len(wrong), "examples": examples}
    return finding(bool(rates) and not wrong, text, "Load criminalite_2024, then crime_indicateur_avg.", numbers)


def _colleges_counted(subject: Subject) -> Finding:
    """Paris, Lyon and Marseille count as whole cities, and only départements that the equipment file has count."""
    counted, listed = subject.ask(
        "WITH counted AS (SELECT code_departement, sum(college) AS number FROM {table} "
        " JOIN info_communes USING (code_commune) WHERE code_commune_parent IS NULL GROUP BY 1) "
        "SELECT coalesce((SELECT sum(number) FROM counted), 0), (SELECT count(*) FROM annuaire_education "
        " WHERE type_etablissement = 'Collège' AND code_departement IN (SELECT code_departement FROM counted))"
    )[0]
    apart = round(abs(int(counted) - listed) / listed, 4) if listed else None
    text = (
        f"expected as many collèges as annuaire_education has in the same départements ({listed:,}), within "
        f"{COLLEGES:.0%}, found {int(counted):,}."
    )
    numbers = {"colleges": int(counted), "in_directory": listed, "share_apart": apart}
    remedy = "Check which of the two lacks a département, and the codes of collèges in the equipment file."
    return finding(apart is not None and apart <= COLLEGES, text, remedy, numbers)


def _complete_communes(subject: Subject) -> Finding:
    absent = subject.ask(
        "SELECT code_commune FROM relevant_communes "
        "WHERE code_commune NOT IN (SELECT code_commune FROM {table}) ORDER BY 1"
    )
    return _complete(subject, "every commune of relevant_communes", absent)


def _complete_lycees(subject: Subject) -> Finding:
    absent = subject.ask(
        "SELECT uai FROM aggregated_data_lycees_2024 "
        "WHERE annee = (SELECT max(annee) FROM aggregated_data_lycees_2024)"
        " AND (uai, annee) NOT IN (SELECT uai, annee FROM {table}) ORDER BY 1"
    )
    return _complete(subject, "every lycée of the latest session", absent)


def _complete_colleges(subject: Subject) -> Finding:
    absent = subject.ask(
        "SELECT uai FROM metrics_colleges WHERE session = (SELECT max(session) FROM metrics_colleges)"
        " AND (uai, session) NOT IN (SELECT uai, session FROM {table}) ORDER BY 1"
    )
    return _complete(subject, "every collège of the latest session", absent)


def _complete(subject: Subject, expected: str, absent: Sequence[tuple[Any, ...]]) -> Finding:
    """That a view has a row for everything expected.

    Args:
        absent: the keys that it lacks.
    """
    keys = [str(key) for (key,) in absent]
    text = f"expected a row for {expected}, found {len(keys):,} without one{examples_of(keys)}."
    remedy = f"Refresh the view: `edu-pipeline refresh {subject.name}`."
    return finding(not keys, text, remedy, {"absent": len(keys), "examples": keys[:EXAMPLES]})


def _geometries(subject: Subject) -> Finding:
    invalid = [
        f"{key} ({reason})"
        for key, reason in subject.ask(
            "SELECT {key}::text, {reason}(geometry) FROM {table} WHERE NOT {valid}(geometry) ORDER BY 1",
            key="code_commune" if subject.name == "commune_boundaries" else "id",
            **subject.postgis(reason="st_isvalidreason", valid="st_isvalid"),
        )
    ]
    text = f"expected valid geometries, found {len(invalid):,} invalid{examples_of(invalid)}."
    remedy = "Correct the transform, which should repair the publisher's geometries."
    return finding(not invalid, text, remedy, {"invalid": len(invalid), "examples": invalid[:EXAMPLES]})


def _match_rate(subject: Subject) -> Finding:
    counts = subject.ask("SELECT department, osm_matched, total_segments FROM {table} ORDER BY 1")
    rates = {department: round(matched / total, 4) for department, matched, total in counts}
    usual = round(median(rates.values()), 4) if rates else 0.0
    least = max(LOW_MATCHES, usual - MATCHES_BELOW)
    low = [f"{department} {rate:.1%}" for department, rate in rates.items() if rate < least]
    text = (
        f"expected at least {least:.1%} of every département's segments placed (usual: {usual:.1%}), found "
        f"{len(low)} of {len(rates)} départements with fewer{examples_of(low)}."
    )
    remedy = "Look at the column `motif` of their segments, and check whether the BAN has a file of the département."
    return finding(bool(rates) and not low, text, remedy, {"usual": usual, "low": low, "rates": rates})


def _open_schools(subject: Subject) -> Finding:
    absent = [
        f"{uai} ({rows} rows)"
        for uai, rows in subject.ask(
            "SELECT uai, count(*) FROM ("
            " SELECT unnest(uai_lycees) AS uai, 'Lycée' AS kind FROM {table}"
            " UNION ALL SELECT unnest(uai_colleges), 'Collège' FROM {table}) AS named "
            "WHERE NOT EXISTS (SELECT FROM annuaire_education AS school"
            " WHERE school.uai = named.uai AND type_etablissement = kind AND coalesce(etat, 'OUVERT') = 'OUVERT') "
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    ]
    text = (
        f"expected lycées and collèges that annuaire_education lists as open, found {len(absent):,} others"
        f"{examples_of(absent)}."
    )
    remedy = "Ask the publisher whether the carte scolaire is of another year, or the directory lacks them."
    return finding(not absent, text, remedy, {"absent": len(absent), "examples": absent[:EXAMPLES]})


def _covered(subject: Subject) -> Finding:
    """Zones of arrondissements count for their city; départements without any zone do not count."""
    bare = [
        f"{commune} ({share:.0%})"
        for commune, share in subject.ask(
            "WITH zones AS ("
            " SELECT coalesce(code_commune_parent, code_commune) AS code_commune, sum({area}(geometry)) AS area"
            " FROM {table} LEFT JOIN info_communes USING (code_commune) GROUP BY 1) "
            "SELECT code_commune, coalesce(zones.area, 0) / {area}(geometry) FROM commune_boundaries AS contour"
            " JOIN info_communes USING (code_commune) LEFT JOIN zones USING (code_commune)"
            " WHERE contour.code_commune_parent IS NULL AND code_departement IN (SELECT code_departement FROM {table})"
            " AND coalesce(zones.area, 0) < {covered} * {area}(geometry) ORDER BY 2, 1",
            covered=sql.Literal(COVERED),
            **subject.postgis(area="st_area"),
        )
    ]
    text = (
        f"expected zones over every commune of the départements that have zones, found {len(bare):,} communes that are "
        f"not covered{examples_of(bare)}."
    )
    remedy = "Check whether the carte scolaire has the commune, and the column `motif` of its zones and segments."
    return finding(not bare, text, remedy, {"communes": len(bare), "examples": bare[:EXAMPLES]})


def _shares(subject: Subject) -> Finding:
    """That no split has equal shares, which are a placeholder; shares by today's populations are listed."""
    splits = subject.ask(
        "SELECT code_ancien, date_effet, array_agg(code_commune ORDER BY code_commune),"
        " array_agg(part ORDER BY code_commune), bool_or(part_estimee) FROM {table} WHERE nature = 'scission'"
        " GROUP BY 1, 2 HAVING bool_or(part_estimee) OR (count(*) > 1 AND max(part) - min(part) < 1e-6) ORDER BY 2, 1"
    )
    estimated = [_split(*split) for *split, is_estimated in splits if is_estimated]
    equal = [_split(*split) for *split, is_estimated in splits if not is_estimated]
    text = (
        f"expected a share of its own for every part of a split commune, found {len(equal):,} splits with equal shares"
        f"{examples_of(equal)}; {len(estimated):,} have shares by today's populations{examples_of(estimated)}."
    )
    numbers = {"equal": equal[:EXAMPLES], "estimated": estimated[:EXAMPLES], "splits_estimated": len(estimated)}
    remedy = "Counts of these communes are shared out wrongly: load geo-api-communes, or look up the populations."
    return finding(not equal, text, remedy, numbers)


def _split(former: str, day: date, codes: Sequence[str], parts: Sequence[float]) -> str:
    return f"{former} {day}: " + ", ".join(f"{code} {part:.2f}" for code, part in zip(codes, parts, strict=True))


def _rate(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


AGREEMENTS: list[CheckSpec] = [
    *(
        CheckSpec(
            table,
            "in_directory",
            f"The newest year's {kind} are in the directory.",
            "warn",
            _in_directory,
            between=True,
        )
        for table, kind in {"ips_lycees": "lycées", "ips_colleges": "collèges"}.items()
    ),
    CheckSpec(
        "ips_lycees",
        "benchmark",
        "The mean IPS of each type of lycée is close to the publisher's national one.",
        "error",
        _benchmark_lycees,
    ),
    CheckSpec(
        "ips_colleges",
        "benchmark",
        "The mean IPS is close to the publisher's national one.",
        "error",
        _benchmark_colleges,
    ),
    CheckSpec(
        "crime_indicateur_avg",
        "crime_rates",
        "The mean rates match the communes' numbers and populations.",
        "error",
        _crime_rates,
        between=True,
    ),
    CheckSpec(
        "commerce_sante_2024",
        "colleges_counted",
        "There are about as many collèges as in the directory.",
        "warn",
        _colleges_counted,
        between=True,
    ),
    *(
        CheckSpec(table, "geometries", "Geometries are valid.", "error", _geometries)
        for table in ("commune_boundaries", "secteurs_colleges", "sectorisation_segments", "sectorisation_zones")
    ),
    *(
        CheckSpec(
            table,
            "every_commune",
            "There is a row for every commune and arrondissement in force, and for no other.",
            "error",
            every_commune,
        )
        for table in ("commune_boundaries", "communes_limitrophes")
    ),
    CheckSpec("passage_communes", "shares", "Shares of split communes are no placeholders.", "warn", _shares),
    CheckSpec(
        "passage_communes",
        "successors",
        "Every commune of an earlier release is in force, or has a successor.",
        "warn",
        successors,
        between=True,
        outside=True,
    ),
    CheckSpec(
        "data_quality_metrics",
        "match_rate",
        "No département has far fewer of its segments placed than usual.",
        "warn",
        _match_rate,
    ),
    *(
        CheckSpec(
            table,
            "open_schools",
            "Lycées and collèges are listed as open in the directory.",
            "warn",
            _open_schools,
            between=True,
        )
        for table in ("sectorisation_segments", "sectorisation_zones")
    ),
    CheckSpec("sectorisation_zones", "overlaps", "Zones do not overlap.", "error", overlaps, costly=True),
    CheckSpec(
        "sectorisation_zones",
        "covered",
        "Zones cover every commune of the départements that have any zones.",
        "warn",
        _covered,
    ),
    CheckSpec("commune_context_cache", "complete", "Every relevant commune has a row.", "error", _complete_communes),
    CheckSpec(
        "lycee_context_cache", "complete", "Every lycée of the latest session has a row.", "error", _complete_lycees
    ),
    CheckSpec(
        "college_context_cache",
        "complete",
        "Every collège of the latest session has a row.",
        "error",
        _complete_colleges,
    ),
]
"""In the order in which a table's checks are listed."""


def checks_of(table: str) -> list[CheckSpec]:
    """The checks of one table or view."""
    return [check for check in AGREEMENTS if check.table == table]
