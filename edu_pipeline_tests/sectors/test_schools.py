"""Which school of the directory a name and an address mean."""

from __future__ import annotations

import pytest

from edu_pipeline.sectors.schools import find, school

RODIN = school("0750001A", "Collège Auguste Rodin", "70 rue Corvisart, 75013 Paris 13e Arrondissement")
EXUPERY = school("0750002B", "Collège Saint-Exupéry", "23 rue du Faubourg Saint-Jacques, BP 4, 75014 Paris")
WEST = school("0750003C", "Collège Pablo Picasso", "12 bis avenue du Général Leclerc, 75014 Paris")
EAST = school("0750004D", "Collège Pablo Picasso", "3 place de la Nation, 75012 Paris")
LONG = school("0750005E", "Collège et lycée Camille Sée", "11 rue Léon Lhermitte, 75015 Paris")
FOURTH = school("0750006F", "Lycée général et technologique Henri IV", None)
SCHOOLS = [RODIN, EXUPERY, WEST, EAST, LONG, FOURTH]


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("AUGUSTE RODIN", "70 RUE CORVISART", RODIN),
        ("AUGUSTE RODIN", "1 RUE QUELCONQUE", RODIN),  # the same name decides by itself
        ("Rodin Auguste", None, RODIN),
        ("ST EXUPERY", "23 R DU FBG ST JACQUES", EXUPERY),
        ("COLLEGE SAINT EXUPERY", None, EXUPERY),
        ("PABLO PICASSO", "12BIS AV DU GAL LECLERC", WEST),
        ("PABLO PICASSO", "3 PLACE DE LA NATION 75012 PARIS", EAST),
        ("PABLO PICASSO", "PLACE DE LA NATION", EAST),
        ("CAMILLE SEE", "11 RUE LEON LHERMITTE", LONG),
        ("CAMILLE SEE", None, LONG),
        ("HENRI 4", "23 rue Clovis", FOURTH),
    ],
)
def test_names_are_found(name: str, address: str | None, expected: object) -> None:
    found = find(name, address, SCHOOLS)
    assert (found.uai, found.reason) == (getattr(expected, "uai", None), None)


@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [
        (
            "PABLO PICASSO",
            None,
            "expected one school named PABLO PICASSO, found 0750003C Collège Pablo Picasso, 0750004D Collège Pablo "
            "Picasso",
        ),
        (
            "PABLO PICASSO",
            "1 rue Inconnue",
            "expected one school named PABLO PICASSO, 1 rue Inconnue, found 0750003C Collège Pablo Picasso, 0750004D "
            "Collège Pablo Picasso",
        ),
        # Part of a name, and another street: it may be a school that the directory does not have.
        (
            "CAMILLE SEE",
            "5 RUE DU COMMERCE",
            "expected one school named CAMILLE SEE, 5 RUE DU COMMERCE, found 0750005E Collège et lycée Camille Sée",
        ),
    ],
)
def test_ambiguous_names_have_their_candidates(name: str, address: str | None, reason: str) -> None:
    assert find(name, address, SCHOOLS) == (None, reason)


def test_an_unknown_name_has_the_closest_ones() -> None:
    found = find("AUGUSTE RODAIN", None, SCHOOLS)
    assert found.uai is None
    assert found.reason is not None
    assert found.reason.startswith(
        "expected a school named AUGUSTE RODAIN, found none; closest: 0750001A Collège Auguste Rodin, "
    )
    assert find("RODIN", None, []).reason == "expected a school named RODIN, found none; closest: no school at all"
    assert find("COLLEGE", None, SCHOOLS).uai is None
