"""The checks of particular tables: against others, or of what they alone have.

Belongs here: the checks themselves, and the list of them. Does not belong here: what any table can have
(``figures.py``), and what takes so long that it is remembered which rows it was made of (``overlaps.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, LiteralString

from psycopg import sql

from edu_pipeline.checks.overlaps import overlaps
from edu_pipeline.checks.subject import Check, CheckSpec, Found, Probe, Subject, examples_of, judged
from edu_pipeline.errors import EXAMPLES

NOT_IN_DIRECTORY = 0.02
"""Share of establishments that the directory, which changes daily and lists open ones only, may lack."""

BENCHMARK = 3.0
"""Points of IPS between a mean over establishments and the publisher's mean over pupils: 2.0 at most in 2022-2023."""

CRIME_RATES = 0.02
"""Share that a rate computed from numbers and populations may differ by from the mean of the published rates."""

COLLEGES = 0.1
"""Share that the collèges of the equipment file may differ by from the directory's: 0.06 in 2024."""

LOW_MATCHES, MATCHES_BELOW = 0.5, 0.15
"""Share of a département's segments that are placed at least, and how far that may be below the median département."""

COVERED = 0.999
"""Share of a commune's contour that its zones cover at least."""


def _in_directory(subject: Subject) -> Found:
    absent = [
        uai
        for (uai,) in subject.ask(
            "SELECT uai FROM {table} WHERE {newest} AND uai NOT IN (SELECT uai FROM annuaire_education) ORDER BY 1",
            newest=subject.of_newest_year,
        )
    ]
    total = subject.ask("SELECT count(*) FROM {table} WHERE {newest}", newest=subject.of_newest_year)[0][0]
    found = (
        f"expected all but {NOT_IN_DIRECTORY:.0%} of the {total:,} establishments of the newest year in "
        f"annuaire_education, found {len(absent):,} that are not{examples_of(absent)}."
    )
    numbers = {"absent": len(absent), "share": round(len(absent) / max(total, 1), 4), "examples": absent[:EXAMPLES]}
    remedy = "Look whether the directory lacks a département, and which of the two is behind."
    return judged(bool(total) and len(absent) <= NOT_IN_DIRECTORY * total, found, remedy, numbers)


def _benchmark_lycees(subject: Subject) -> Found:
    return _benchmark(
        subject,
        subject.ask(
            "SELECT type_de_lycee, avg(ips), avg(CASE type_de_lycee WHEN 'LEGT' THEN ips_national_legt "
            "WHEN 'LPO' THEN ips_national_lpo WHEN 'LP' THEN ips_national_lp END) "
            "FROM {table} WHERE {newest} GROUP BY 1 ORDER BY 1",
            newest=subject.of_newest_year,
        ),
    )


def _benchmark_colleges(subject: Subject) -> Found:
    return _benchmark(
        subject,
        subject.ask("SELECT 'collèges', avg(ips), avg(ips_national) FROM {table} WHERE {newest}",
                    newest=subject.of_newest_year),
    )  # fmt: skip


def _benchmark(subject: Subject, means: Sequence[tuple[Any, ...]]) -> Found:
    compared = {str(kind): (float(mean), float(said)) for kind, mean, said in means if None not in (mean, said)}
    told = ", ".join(f"{kind} {mean:.1f} to {said:.1f}" for kind, (mean, said) in compared.items())
    apart = max((abs(mean - said) for mean, said in compared.values()), default=None)
    without = [str(kind) for kind, mean, said in means if mean is None and said is not None]
    found = (
        f"expected the mean IPS within {BENCHMARK} points of the publisher's national benchmark, found "
        f"{told or 'nothing to compare'}{'; no index of ' * bool(without)}{', '.join(without)}."
    )
    numbers = {"means": {kind: round(mean, 2) for kind, (mean, _) in compared.items()},
               "benchmarks": {kind: round(said, 2) for kind, (_, said) in compared.items()},
               "points_apart": None if apart is None else round(apart, 2)}  # fmt: skip
    remedy = "Look for a shifted column, and whether all of the country is in the file."
    return judged(apart is not None and apart <= BENCHMARK and not without, found, remedy, numbers)


def _crime_rates(subject: Subject) -> Found:
    """The published numbers over the populations, once more from the communes, beside the mean of their rates."""
    apart = subject.ask(
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
    wrong = [row for row in apart if row[3] is None or row[3] > CRIME_RATES]
    examples = [f"{place}: {_rate(mean)} to {_rate(rate)}" for place, mean, rate, _ in wrong[:5]]
    found = (
        f"expected the mean rates of départements within {CRIME_RATES:.0%} of the communes' numbers over their "
        f"populations, found {len(wrong):,} of {len(apart):,} that are not{examples_of(examples)}."
    )
    numbers = {"compared": len(apart), "apart": len(wrong), "examples": examples}
    return judged(bool(apart) and not wrong, found, "Load criminalite_2024, then crime_indicateur_avg.", numbers)


def _colleges_counted(subject: Subject) -> Found:
    """Paris, Lyon and Marseille count as cities; the directory's collèges where the equipment file is about."""
    counted, listed = subject.ask(
        "WITH counted AS (SELECT code_departement, sum(college) AS number FROM {table} "
        " JOIN info_communes USING (code_commune) WHERE code_commune_parent IS NULL GROUP BY 1) "
        "SELECT coalesce((SELECT sum(number) FROM counted), 0), (SELECT count(*) FROM annuaire_education "
        " WHERE type_etablissement = 'Collège' AND code_departement IN (SELECT code_departement FROM counted))"
    )[0]
    apart = round(abs(int(counted) - listed) / listed, 4) if listed else None
    found = (
        f"expected the collèges of annuaire_education in the same départements within {COLLEGES:.0%}, found "
        f"{int(counted):,} to {listed:,}."
    )
    numbers = {"colleges": int(counted), "in_directory": listed, "share_apart": apart}
    remedy = "Look which of the two lacks a département, and at the codes of collèges in the equipment file."
    return judged(apart is not None and apart <= COLLEGES, found, remedy, numbers)


def _complete(statement: LiteralString, of: str) -> Probe:
    """A probe that a view has all of what a query gives, which is keys that the view lacks."""

    def probe(subject: Subject) -> Found:
        absent = [str(key) for (key,) in subject.ask(statement)]
        found = f"expected a row for {of}, found {len(absent):,} without one{examples_of(absent)}."
        remedy = f"Refresh it: `edu-pipeline refresh {subject.name}`."
        return judged(not absent, found, remedy, {"absent": len(absent), "examples": absent[:EXAMPLES]})

    return probe


def _geometries(subject: Subject) -> Found:
    invalid = [
        f"{key} ({reason})"
        for key, reason in subject.ask(
            "SELECT {key}::text, {reason}(geometry) FROM {table} WHERE NOT {valid}(geometry) ORDER BY 1",
            key="code_commune" if subject.name == "commune_boundaries" else "id",
            **subject.postgis(reason="st_isvalidreason", valid="st_isvalid"),
        )
    ]
    found = f"expected valid geometries, found {len(invalid):,} that are not{examples_of(invalid)}."
    remedy = "Look at the transform, which is to repair what the publisher gives."
    return judged(not invalid, found, remedy, {"invalid": len(invalid), "examples": invalid[:EXAMPLES]})


def _match_rate(subject: Subject) -> Found:
    counts = subject.ask("SELECT department, osm_matched, total_segments FROM {table} ORDER BY 1")
    rates = {department: round(matched / total, 4) for department, matched, total in counts}
    usual = round(median(rates.values()), 4) if rates else 0.0
    least = max(LOW_MATCHES, usual - MATCHES_BELOW)
    low = [f"{department} {rate:.1%}" for department, rate in rates.items() if rate < least]
    found = (
        f"expected {least:.1%} of a département's segments placed at least (usual: {usual:.1%}), found "
        f"{len(low)} of {len(rates)} départements with fewer{examples_of(low)}."
    )
    remedy = "Look at `motif` of their segments, and whether the BAN has a file of the département."
    return judged(bool(rates) and not low, found, remedy, {"usual": usual, "low": low, "rates": rates})


def _open_schools(subject: Subject) -> Found:
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
    found = f"expected open lycées and collèges of annuaire_education, found {len(absent):,} that are not"
    remedy = "The carte scolaire is of another year, or the directory lacks them: ask the publisher."
    numbers = {"absent": len(absent), "examples": absent[:EXAMPLES]}
    return judged(not absent, f"{found}{examples_of(absent)}.", remedy, numbers)


def _covered(subject: Subject) -> Found:
    """The zones of arrondissements cover their city; of a département without any zone no commune is missing."""
    bare = [
        f"{commune} ({share:.0%})"
        for commune, share in subject.ask(
            "WITH zones AS ("
            " SELECT coalesce(code_commune_parent, code_commune) AS code_commune, sum({area}(geometry)) AS area"
            " FROM {table} LEFT JOIN info_communes USING (code_commune) GROUP BY 1) "
            "SELECT code_commune, coalesce(zones.area, 0) / {area}(geometry) FROM commune_boundaries"
            " JOIN info_communes USING (code_commune) LEFT JOIN zones USING (code_commune)"
            " WHERE code_departement IN (SELECT code_departement FROM {table})"
            " AND coalesce(zones.area, 0) < {covered} * {area}(geometry) ORDER BY 2, 1",
            covered=sql.Literal(COVERED),
            **subject.postgis(area="st_area"),
        )
    ]
    found = (
        f"expected zones over every commune of the départements that have zones, found {len(bare):,} communes that are "
        f"not covered{examples_of(bare)}."
    )
    remedy = "Look whether the carte scolaire has the commune, and at `motif` of its zones and segments."
    return judged(not bare, found, remedy, {"communes": len(bare), "examples": bare[:EXAMPLES]})


def _rate(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


AGREEMENTS: list[tuple[CheckSpec, Probe]] = [
    *(
        (CheckSpec(table, "in_directory", f"The newest year's {kind} are in the directory.", "warn"), _in_directory)
        for table, kind in {"ips_lycees": "lycées", "ips_colleges": "collèges"}.items()
    ),
    (CheckSpec("ips_lycees", "benchmark", "The mean IPS by type of lycée is about the publisher's national one.",
               "error"), _benchmark_lycees),
    (CheckSpec("ips_colleges", "benchmark", "The mean IPS is about the publisher's national one.", "error"),
     _benchmark_colleges),
    (CheckSpec("crime_indicateur_avg", "crime_rates", "The mean rates are those of the communes' numbers and "
               "populations.", "error"), _crime_rates),
    (CheckSpec("commerce_sante_2024", "colleges_counted", "There are about as many collèges as in the directory.",
               "warn"), _colleges_counted),
    *(
        (CheckSpec(table, "geometries", "Geometries are valid.", "error"), _geometries)
        for table in ("commune_boundaries", "sectorisation_segments", "sectorisation_zones")
    ),
    (CheckSpec("data_quality_metrics", "match_rate", "No département has far fewer of its segments placed than usual.",
               "warn"), _match_rate),
    *(
        (CheckSpec(table, "open_schools", "Lycées and collèges are open ones of the directory.", "warn"), _open_schools)
        for table in ("sectorisation_segments", "sectorisation_zones")
    ),
    (CheckSpec("sectorisation_zones", "overlaps", "Zones do not overlap.", "error"), overlaps),
    (CheckSpec("sectorisation_zones", "covered", "Zones cover every commune of the départements that have any.",
               "warn"), _covered),
    (CheckSpec("commune_context_cache", "complete", "Every relevant commune has a row.", "error"), _complete(
        "SELECT code_commune FROM relevant_communes WHERE code_commune NOT IN (SELECT code_commune FROM {table}) "
        "ORDER BY 1", "every commune of relevant_communes")),
    (CheckSpec("lycee_context_cache", "complete", "Every lycée of the latest session has a row.", "error"), _complete(
        "SELECT uai FROM aggregated_data_lycees_2024 WHERE annee = (SELECT max(annee) FROM aggregated_data_lycees_2024)"
        " AND (uai, annee) NOT IN (SELECT uai, annee FROM {table}) ORDER BY 1", "every lycée of the latest session")),
    (CheckSpec("college_context_cache", "complete", "Every collège of the latest session has a row.", "error"),
     _complete(
        "SELECT uai FROM metrics_colleges WHERE session = (SELECT max(session) FROM metrics_colleges) "
        "AND (uai, session) NOT IN (SELECT uai, session FROM {table}) ORDER BY 1",
        "every collège of the latest session")),
]  # fmt: skip
"""By table and name, each with what makes it; a table's are shown in this order."""


def checks_of(table: str) -> list[Check]:
    """Those of one table or view."""
    return [Check(spec, probe) for spec, probe in AGREEMENTS if spec.table == table]
