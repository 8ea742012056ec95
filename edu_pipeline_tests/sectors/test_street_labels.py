"""Street labels: all spellings of a street are read as the same words, and different streets stay different."""

from __future__ import annotations

import pytest

from edu_pipeline.sectors.labels import read


@pytest.mark.parametrize(
    ("published", "spaced"),
    [
        ("BD MAL FOCH", "BOULEVARD MAL FOCH"),
        ("Place du Cap. Lescot", "PLACE DU CAP LESCOT"),
        ("Passage du Cap-Horn", "PASSAGE DU CAP HORN"),
        ("PAS CDT BOURDAIS", "PASSAGE CDT BOURDAIS"),
        ("Rue du Docteur Roux", "RUE DU DR ROUX"),
        ("Rue des Docteurs Bertin", "RUE DES DR BERTIN"),
        ("GAL DU THEATRE", "GALERIE DU THEATRE"),
        ("Place Saint-Yves", "PLACE ST YVES"),
        ("Place Notre-Dame", "PLACE ND"),
        ("R N D", "RUE ND"),
        ("Rue Geneviève de Gaulle-Anthonioz", "RUE GENEVIEVE DE GAULLE ANTHONIOZ"),
        ("Rue des Œillets", "RUE DES OEILLETS"),
        ("Rue de l’Abbé Anger", "RUE DE L ABBE ANGER"),
        ("Rue Pierre & Marie Curie", "RUE PIERRE ET MARIE CURIE"),
        ("Rue du Pourquoi-Pas ?", "RUE DU POURQUOI PAS"),
        ("Rue du Moulin (ancienne route de Brest)", "RUE DU MOULIN"),
        ("RPT DU NAYE", "ROND POINT DU NAYE"),
        ("Rond-Point du Naye", "ROND POINT DU NAYE"),
        ("Grand'Rue", "GRANDE RUE"),
        ("LIEU DIT L ARGENCIERE", "L ARGENCIERE"),
        ("Chemin rural n° 5", "CHEMIN RURAL 5"),
        ("Place", "PLACE"),
        ("", ""),
        (" - ", ""),
    ],
)
def test_words(published: str, spaced: str) -> None:
    assert read(published).spaced == spaced


@pytest.mark.parametrize(
    ("published", "spaced"),
    [
        ("ALLEE CHARLES VIII", "ALLEE CHARLES 8"),
        ("Rue Jean XXIII", "RUE JEAN 23"),
        ("Rue Louis Quatorze", "RUE LOUIS 14"),
        ("Rue George V", "RUE GEORGE 5"),
        ("Allée V", "ALLEE V"),
        ("Rue Albert Ier", "RUE ALBERT 1"),
        ("Rue Albert Premier", "RUE ALBERT 1"),
        ("Rue du XIXe Siècle", "RUE DU 19 SIECLE"),
        ("Rue de la Vie", "RUE DE LA VIE"),
        ("Rue du 41ème R.I.", "RUE DU 41 REGIMENT D INFANTERIE"),
        ("Rue du 41e RI", "RUE DU 41 REGIMENT D INFANTERIE"),
        ("Rue du Septième Régiment", "RUE DU 7 REGIMENT"),
        ("Rue du Huit Mai 1945", "RUE DU 8 MAI 1945"),
        ("Rue du Neuf Mai", "RUE DU 9 MAI"),
        ("Rue du Pont Neuf", "RUE DU PONT NEUF"),
        ("Rue du Dix-Neuf Mars Mille Neuf Cent Soixante-Deux", "RUE DU 19 MARS 1962"),
        ("Rue du Vingt-et-Un Juillet", "RUE DU 21 JUILLET"),
        ("Rue des Quatre-Vingt-Onze", "RUE DES 91"),
        ("Rue des Deux Cents Pas", "RUE DES 200 PAS"),
        ("Rue Un", "RUE UN"),
        ("Chemin 007", "CHEMIN 7"),
    ],
)
def test_numbers(published: str, spaced: str) -> None:
    assert read(published).spaced == spaced


def test_small_words_do_not_count_but_show_the_number() -> None:
    label = read("RUE DE LA FONTAINE AUX PELERINS D AUTREFOIS")
    assert label.words == ("FONTAINE", "PELERINS", "AUTREFOIS")
    assert label.links == ("singular", "plural", "neutral")
    assert label.content == "RUEFONTAINEPELERINSAUTREFOIS"


def test_le_counts_in_a_name_and_not_before_a_lieu_dit() -> None:
    assert read("Rue Paul Le Bert").words == ("PAUL", "LE", "BERT")
    assert read("LE PLESSIS").words == read("LIEU DIT PLESSIS").words == ("PLESSIS",)


def test_a_name_of_small_words_only_keeps_them() -> None:
    assert read("RUE DES AUX").words == ("DES", "AUX")


def test_the_length_is_that_of_the_name_without_the_type() -> None:
    assert read("IMPASSE DU 47E REGIMENT D INFANTER").length == read("IMP DU 47E REGIMENT D INFANTER").length == 26
