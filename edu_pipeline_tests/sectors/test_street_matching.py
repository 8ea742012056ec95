"""Street matching: a street is found however it is written, never another one, and a reason says why it was not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.sectors.labels import read
from edu_pipeline.sectors.likeness import ALIKE, close_keys, likeness
from edu_pipeline.sectors.matching import MATCHED, Match, Streets, match
from edu_pipeline_tests.real_files import upstream

PAIRS = Path(__file__).with_name("street_labels.csv")
PRECISION, RECALL = 0.99, 0.95


def find(label: str, *names: str) -> tuple[str | None, Match]:
    """The name of the street that ``label`` means among ``names``, and the match."""
    result = Streets("35238", [(number, name, None) for number, name in enumerate(names)]).find(label)
    return (None if result.street is None else names[result.street]), result


@pytest.mark.parametrize("held_out", [False, True])
def test_precision_and_recall_on_the_labelled_pairs(held_out: bool) -> None:
    pairs = pl.read_csv(PAIRS).filter((pl.col("held_out") == "yes") == held_out)
    same = [word == "yes" for word in pairs["same"]]
    matched = [find(*pair)[0] is not None for pair in pairs.select("libelle_rue", "nom_voie").iter_rows()]
    right = sum(a and b for a, b in zip(same, matched, strict=True))
    assert min(same.count(True), same.count(False)) >= 60
    assert right / matched.count(True) >= PRECISION
    assert right / same.count(True) >= RECALL


def test_an_exact_match_takes_precedence_over_similar_ones() -> None:
    names = ("Rue du Lac", "Rue du Bac", "Place du Bac", "Rue des Bacs")
    assert find("RUE DU BAC", *names) == ("Rue du Bac", Match(1, "exact", 100.0))


@pytest.mark.parametrize(
    ("label", "names", "expected"),
    [
        ("RUE LA FONTAINE", ("Rue de la Fontaine", "Rue La Fontaine"), "Rue La Fontaine"),
        ("RUE LAFONTAINE", ("Rue de la Fontaine", "Rue La Fontaine"), "Rue La Fontaine"),
        ("RUE DE LA CROIX", ("Rue des Croix", "Rue Croix"), "Rue Croix"),
        ("RUE MARECHAL FOCH", ("Rue Foch", "Rue du Maréchal Foch"), "Rue du Maréchal Foch"),
        ("RUE FOCH", ("Rue du Maréchal Foch", "Avenue Foch"), "Rue du Maréchal Foch"),
        ("RUE P BERT", ("Rue Paul Bert", "Rue Jean Bert"), "Rue Paul Bert"),
        ("RUE DU 11 NOVEMBRE", ("Rue du 11 Novembre 1918", "Rue du 8 Mai 1945"), "Rue du 11 Novembre 1918"),
        ("RUE JEAN PIERRE DE TRIQUERVILL", ("Rue Jean-Pierre de Triquerville",), "Rue Jean-Pierre de Triquerville"),
        ("RUE MONTGOLFIER", ("Rue Mongolfier",), "Rue Mongolfier"),
    ],
)
def test_one_of_several_streets_is_chosen(label: str, names: tuple[str, ...], expected: str) -> None:
    assert find(label, *names)[0] == expected


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("RUE DU GENERAL PARIS", "Rue de Paris"),
        ("RUE GENERAL LECLERC", "Rue du Maréchal Leclerc"),
        ("RUE GABRIEL PERI", "Rue Gabrielle Péri"),
        ("RUE DU CHATAIGNIER", "Rue des Châtaigniers"),
        ("RUE HIPPOLITE RODRIGEZ", "Rue Hyppolite Rodriguès"),
        ("RUE DES CORDIERS", "Rue des Cordeliers"),
        ("RUE DU 8 MAI 1945", "Rue du 8 Mai 1902"),
        ("RUE P BERT", "Rue Jean Bert"),
        ("RUE PAUL B", "Rue Paul Bert"),
        ("RUE MONTGOLFIER", "Rue Joseph Mongolfier"),
        ("RUE NOGUETTE", "Rue de la Nouette"),
        ("RUE JEAN PIERRE DE TRIQUER", "Rue Jean-Pierre de Triquerville"),
    ],
)
def test_a_different_street_is_not_matched(label: str, name: str) -> None:
    assert find(label, name)[0] is None


def test_two_equally_close_streets_are_ambiguous() -> None:
    name, result = find("RUE LECLERC", "Rue du Général Leclerc", "Rue du Colonel Leclerc")
    assert name is None
    assert result.reason == (
        "RUE LECLERC may be any of 2 streets of 35238: Rue du Général Leclerc, Rue du Colonel Leclerc"
    )


def test_two_exact_matches_are_ambiguous() -> None:
    _, result = find("RUE FONTAINE", "Rue de la Fontaine", "Rue La Fontaine")
    assert result.reason == "RUE FONTAINE may be any of 2 streets of 35238: Rue de la Fontaine, Rue La Fontaine"


def test_a_close_match_has_the_score_of_the_letters() -> None:
    _, result = find("RUE MONTGOLFIER", "Rue Mongolfier")
    assert result.method == "close"
    assert result.score == pytest.approx(100 * 20 / 21)


def test_the_afnor_name_is_matched_too() -> None:
    streets = Streets("35238", [(7, "Boulevard Foch (Maréchal)", "BD MAL FOCH"), (8, "Rue du Lac", None)])
    assert streets.find("BOULEVARD DU MARECHAL FOCH") == Match(7, "exact", 100.0)


def test_likeness_is_that_of_the_words_that_differ() -> None:
    assert likeness(read("RUE HYACINTHE BAUDET"), read("Rue Hyacinte Baudet")) == 100
    assert likeness(read("RUE THEODORE MONTGOLFIER"), read("Rue Théodore Mongolfier")) == pytest.approx(100 * 20 / 21)
    assert likeness(read("RUE DU BAC"), read("Rue du Lac")) == 0


def test_a_frame_of_several_communes() -> None:
    labels = pl.DataFrame(
        {
            "code_commune": ["35238", "35115", "35238", "35238", "35999", "35238"],
            "libelle_rue": ["R DU BAC", "RUE DU BAC", "R DU BAC", "RUE DE METZ", "RUE DU BAC", None],
        }
    )
    streets = pl.DataFrame(
        {
            "code_insee": ["35238", "35238", "35115", "35238"],
            "street": [4, 4, 5, 6],
            "nom_voie": ["Rue du Bac", "RUE DU BAC", "Rue du Bac", "Rue du Lac"],
            "nom_afnor": [None, "RUE DU BAC", "RUE DU BAC", None],
        }
    )
    unlike = "no street like RUE DE METZ among the 2 streets of 35238; closest: Rue du Bac, Rue du Lac"
    matches = match(labels, streets)
    assert dict(matches.schema) == MATCHED
    assert matches.drop("match_score").rows() == [
        ("35238", "R DU BAC", 4, "exact", None),
        ("35115", "RUE DU BAC", 5, "exact", None),
        ("35238", "RUE DE METZ", None, None, unlike),
        ("35238", None, None, None, "the segment names no street"),
        ("35999", "RUE DU BAC", None, None, "no address of commune 35999 in the BAN"),
    ]


def test_no_street_of_the_real_file_is_taken_for_another() -> None:

    file = upstream() / "fr-en-carte-scolaire-colleges-publics" / "fr-en-carte-scolaire-colleges-publics.csv"
    rows = pl.read_csv(file, separator=";", infer_schema=False).filter(pl.col("Secteur_unique") == "N")
    labels = rows.select("code_insee", "Type_et_Libelle").unique(maintain_order=True).rows()
    assert len(labels) > 4000
    pairs = set()
    for code in {code for code, _ in labels}:
        own_labels = [label for commune, label in labels if commune == code]
        for fold in range(10):
            streets = Streets(code, [(n, label, None) for n, label in enumerate(own_labels) if n % 10 != fold])
            matches = {label: streets.find(label).street for label in own_labels[fold::10]}
            pairs |= {(label, own_labels[street]) for label, street in matches.items() if street is not None}
    assert pairs <= {
        ("AVENUE DU 41E REGIMENT D INFANTER", "AVENUE DU 41E REGIMENT D INFANTERIE"),
        ("RUE DU 70E REGIMENT D INFANTER", "RUE DU 70E REGIMENT D INFANTERIE"),
        ("RUE DU PROFESSEUR PIERRE POUMI", "RUE DU PROFESSEUR PIERRE POUMIER"),
    }


def test_without_streets_every_label_has_its_reason() -> None:
    labels = pl.DataFrame({"code_commune": ["35238"], "libelle_rue": ["RUE DU BAC"]})
    streets = pl.DataFrame(schema=dict.fromkeys(("code_insee", "street", "nom_voie", "nom_afnor"), pl.String))
    assert match(labels, streets)["reason"].to_list() == ["no address of commune 35238 in the BAN"]
    assert match(labels.clear(), streets).is_empty()


def test_labels_that_are_alike_share_a_key() -> None:
    """Otherwise they would not be compared."""
    texts = pl.read_csv(PAIRS).select("libelle_rue", "nom_voie")
    labels = {read(text) for pair in texts.iter_rows() for text in pair}
    alike = [(label, street) for label in labels for street in labels if likeness(label, street) >= ALIKE]
    assert len(alike) > len(labels)
    for label, street in alike:
        keys = set(close_keys(label, of_street=False))
        assert not keys.isdisjoint(close_keys(street, of_street=True)), (label, street)


def test_a_frame_is_matched_like_each_of_its_labels() -> None:
    pairs = pl.read_csv(PAIRS)
    names = [(number, name, None) for number, name in enumerate(pairs["nom_voie"].unique(maintain_order=True))]
    streets = pl.DataFrame(
        [("35238", *name) for name in names],
        {"code_insee": pl.String, "street": pl.UInt32, "nom_voie": pl.String, "nom_afnor": pl.String},
        orient="row",
    )
    index = Streets("35238", names)
    matches = match(pairs.select("libelle_rue", code_commune=pl.lit("35238")), streets)
    assert matches["match_method"].unique().sort(nulls_last=True).to_list() == ["close", "exact", None]
    for label, *matched in matches.drop("code_commune").iter_rows():
        expected = index.find(label)
        assert (*matched[:3], matched[3] if expected.reason else None) == (*expected[:3], expected.reason)
        assert expected.street is not None or matched[3]
