"""The facts behind the invented country: the départements, what they belong to, and where the land is.

Belongs here: public reference facts, such as the codes and names of départements and académies, how many communes they
have and roughly where they lie. Does not belong here: anything invented (`country.py`).

Sources: INSEE, Code officiel géographique 2026 (names, codes, numbers of communes), DEPP (académies), rounded centres.
"""

from __future__ import annotations

from typing import NamedTuple


class Departement(NamedTuple):
    """A département or overseas collectivity.

    Attributes:
        code_region: a collectivity's own code.
        code_academie: empty for the collectivities outside any académie.
        communes: how many it has.
        longitude, latitude: its centre, roughly.
    """

    code: str
    nom: str
    code_region: str
    code_academie: str
    communes: int
    longitude: float
    latitude: float


_TABLE = """
01|Ain|84|10|391|5.3|46.1
02|Aisne|32|20|797|3.5|49.6
03|Allier|84|06|317|3.2|46.4
04|Alpes-de-Haute-Provence|93|02|198|6.1|44.1
05|Hautes-Alpes|93|02|162|6.1|44.6
06|Alpes-Maritimes|93|23|163|7.1|43.8
07|Ardèche|84|08|335|4.5|44.8
08|Ardennes|44|19|447|4.7|49.6
09|Ariège|76|16|325|1.5|43.0
10|Aube|44|19|431|4.2|48.3
11|Aude|76|11|433|2.3|43.1
12|Aveyron|76|16|285|2.6|44.3
13|Bouches-du-Rhône|93|02|119|5.2|43.6
14|Calvados|28|70|526|-0.3|49.2
15|Cantal|84|06|250|2.7|45.0
16|Charente|75|13|359|0.2|45.7
17|Charente-Maritime|75|13|462|-0.6|45.8
18|Cher|24|18|286|2.5|47.0
19|Corrèze|75|22|277|1.8|45.3
21|Côte-d'Or|27|07|698|4.8|47.4
22|Côtes-d'Armor|53|14|344|-2.9|48.5
23|Creuse|75|22|255|2.0|46.1
24|Dordogne|75|04|503|0.7|45.1
25|Doubs|27|03|563|6.4|47.2
26|Drôme|84|08|362|5.1|44.7
27|Eure|28|70|585|1.0|49.1
28|Eure-et-Loir|24|18|363|1.4|48.4
29|Finistère|53|14|277|-4.1|48.3
2A|Corse-du-Sud|94|27|124|8.9|41.9
2B|Haute-Corse|94|27|236|9.3|42.4
30|Gard|76|11|350|4.2|44.0
31|Haute-Garonne|76|16|586|1.1|43.3
32|Gers|76|16|458|0.5|43.7
33|Gironde|75|04|534|-0.3|44.8
34|Hérault|76|11|341|3.4|43.6
35|Ille-et-Vilaine|53|14|332|-1.6|48.2
36|Indre|24|18|241|1.6|46.8
37|Indre-et-Loire|24|18|272|0.7|47.3
38|Isère|84|08|512|5.5|45.3
39|Jura|27|03|492|5.7|46.8
40|Landes|75|04|327|-0.7|43.8
41|Loir-et-Cher|24|18|267|1.3|47.6
42|Loire|84|10|320|4.2|45.7
43|Haute-Loire|84|06|257|3.8|45.1
44|Loire-Atlantique|52|17|207|-1.7|47.3
45|Loiret|24|18|325|2.3|48.0
46|Lot|76|16|312|1.6|44.6
47|Lot-et-Garonne|75|04|319|0.5|44.4
48|Lozère|76|11|152|3.5|44.6
49|Maine-et-Loire|52|17|176|-0.5|47.4
50|Manche|28|70|445|-1.3|49.1
51|Marne|44|19|610|4.2|49.0
52|Haute-Marne|44|19|426|5.3|48.1
53|Mayenne|52|17|240|-0.7|48.1
54|Meurthe-et-Moselle|44|12|591|6.2|48.8
55|Meuse|44|12|499|5.4|49.0
56|Morbihan|53|14|249|-2.8|47.8
57|Moselle|44|12|725|6.6|49.0
58|Nièvre|27|07|309|3.5|47.1
59|Nord|32|09|647|3.3|50.4
60|Oise|32|20|680|2.4|49.4
61|Orne|28|70|381|0.1|48.6
62|Pas-de-Calais|32|09|887|2.3|50.5
63|Puy-de-Dôme|84|06|463|3.2|45.7
64|Pyrénées-Atlantiques|75|04|545|-0.7|43.3
65|Hautes-Pyrénées|76|16|469|0.2|43.1
66|Pyrénées-Orientales|76|11|226|2.6|42.6
67|Bas-Rhin|44|15|514|7.5|48.7
68|Haut-Rhin|44|15|366|7.3|47.8
69|Rhône|84|10|266|4.7|45.9
70|Haute-Saône|27|03|536|6.1|47.6
71|Saône-et-Loire|27|07|563|4.6|46.6
72|Sarthe|52|17|352|0.2|48.0
73|Savoie|84|08|273|6.2|45.5
74|Haute-Savoie|84|08|279|6.3|46.1
75|Paris|11|01|1|2.3|48.9
76|Seine-Maritime|28|70|707|1.0|49.7
77|Seine-et-Marne|11|24|507|2.9|48.7
78|Yvelines|11|25|259|1.8|48.9
79|Deux-Sèvres|75|13|252|-0.3|46.5
80|Somme|32|20|771|2.3|49.9
81|Tarn|76|16|314|2.1|43.8
82|Tarn-et-Garonne|76|16|195|1.2|44.1
83|Var|93|23|153|6.2|43.4
84|Vaucluse|93|02|151|5.2|44.0
85|Vendée|52|17|253|-1.3|46.7
86|Vienne|75|13|265|0.4|46.6
87|Haute-Vienne|75|22|195|1.2|45.9
88|Vosges|44|12|506|6.3|48.2
89|Yonne|27|07|423|3.6|47.9
90|Territoire de Belfort|27|03|101|6.9|47.6
91|Essonne|11|25|194|2.3|48.6
92|Hauts-de-Seine|11|25|36|2.3|48.8
93|Seine-Saint-Denis|11|24|39|2.5|48.9
94|Val-de-Marne|11|24|47|2.5|48.8
95|Val-d'Oise|11|25|183|2.1|49.1
971|Guadeloupe|01|32|32|-61.5|16.2
972|Martinique|02|31|34|-61.0|14.7
973|Guyane|03|33|22|-53.0|4.5
974|La Réunion|04|28|24|55.5|-21.1
975|Saint-Pierre-et-Miquelon|975|44|2|-56.3|46.9
976|Mayotte|06|43|17|45.1|-12.8
977|Saint-Barthélemy|977||1|-62.9|17.9
978|Saint-Martin|978||1|-63.1|18.1
984|Terres australes et antarctiques françaises|984||5|76.1|-45.2
986|Wallis et Futuna|986|42|3|-177.5|-14.0
987|Polynésie française|987|41|48|-145.9|-16.9
988|Nouvelle-Calédonie|988|40|33|165.6|-21.3
989|Île de Clipperton|989||1|-109.2|10.3
"""


def _departement(line: str) -> Departement:
    code, name, region, academie, communes, longitude, latitude = line.split("|")
    return Departement(code, name, region, academie, int(communes), float(longitude), float(latitude))


DEPARTEMENTS = {row.code: row for row in map(_departement, _TABLE.strip().splitlines())}
"""All 109 of them, by code."""

CITY_NAMES = {"13055": "Marseille", "69123": "Lyon", "75056": "Paris"}
"""The cities with municipal arrondissements, by code."""

ACADEMIES = {
    "01": ("Paris", "10"),
    "02": ("Aix-Marseille", "18"),
    "03": ("Besançon", "02"),
    "04": ("Bordeaux", "15"),
    "06": ("Clermont-Ferrand", "01"),
    "07": ("Dijon", "02"),
    "08": ("Grenoble", "01"),
    "09": ("Lille", "09"),
    "10": ("Lyon", "01"),
    "11": ("Montpellier", "16"),
    "12": ("Nancy-Metz", "06"),
    "13": ("Poitiers", "15"),
    "14": ("Rennes", "03"),
    "15": ("Strasbourg", "06"),
    "16": ("Toulouse", "16"),
    "17": ("Nantes", "17"),
    "18": ("Orléans-Tours", "04"),
    "19": ("Reims", "06"),
    "20": ("Amiens", "09"),
    "22": ("Limoges", "15"),
    "23": ("Nice", "18"),
    "24": ("Créteil", "10"),
    "25": ("Versailles", "10"),
    "27": ("Corse", "05"),
    "28": ("La Réunion", "11"),
    "31": ("Martinique", "12"),
    "32": ("Guadeloupe", "07"),
    "33": ("Guyane", "08"),
    "40": ("Nouvelle Calédonie", "00"),
    "41": ("Polynésie Française", "00"),
    "42": ("Wallis et Futuna", "00"),
    "43": ("Mayotte", "13"),
    "44": ("St Pierre et Miquelon", "00"),
    "70": ("Normandie", "14"),
}
"""Name and région académique of each académie, by code."""

REGIONS_ACADEMIQUES = {
    "00": "Outre-mer hors régions académiques",
    "01": "Auvergne-Rhône-Alpes",
    "02": "Bourgogne-Franche-Comté",
    "03": "Bretagne",
    "04": "Centre-Val de Loire",
    "05": "Corse",
    "06": "Grand Est",
    "07": "Guadeloupe",
    "08": "Guyane",
    "09": "Hauts-de-France",
    "10": "Île-de-France",
    "11": "La Réunion",
    "12": "Martinique",
    "13": "Mayotte",
    "14": "Normandie",
    "15": "Nouvelle-Aquitaine",
    "16": "Occitanie",
    "17": "Pays de la Loire",
    "18": "Provence-Alpes-Côte d'Azur",
}
"""Name of each région académique by its code, which is not INSEE's code of the region."""


class Land(NamedTuple):
    """A piece of land surrounded by sea or border, covered by cells of one size around its centre.

    Attributes:
        width, height: size of a cell, in degrees.
        outline: corners of a convex outline around the centre, in order; only its shape matters, because the land is
            as large as its communes need.
    """

    departements: tuple[str, ...]
    longitude: float
    latitude: float
    width: float
    height: float
    outline: tuple[tuple[float, float], ...] = ((1, 1), (1, -1), (-1, -1), (-1, 1))


MAINLAND = tuple(f"{number:02}" for number in range(1, 96) if number != 20)
HEXAGONE = ((2.4, 51.0), (8.2, 48.9), (7.6, 43.7), (3.0, 42.4), (-1.8, 43.3), (-4.8, 48.4))

LANDS = (
    Land(MAINLAND, 2.6, 46.8, 0.050, 0.034, tuple((x - 2.6, y - 46.8) for x, y in HEXAGONE)),
    Land(("2A", "2B"), 9.10, 42.15, 0.050, 0.034, ((0.3, 1.0), (0.7, 0.0), (0.0, -1.2), (-0.7, 0.0), (-0.1, 0.8))),
    Land(("971",), -61.50, 16.20, 0.070, 0.060),
    Land(("972",), -61.00, 14.65, 0.060, 0.060),
    Land(("973",), -53.00, 4.00, 0.450, 0.450),
    Land(("974",), 55.53, -21.13, 0.080, 0.080),
    Land(("975",), -56.30, 46.90, 0.150, 0.100),
    Land(("976",), 45.15, -12.83, 0.060, 0.060),
    Land(("977",), -62.83, 17.90, 0.060, 0.040),
    Land(("978",), -63.05, 18.07, 0.060, 0.040),
    Land(("984",), 70.00, -49.00, 0.500, 0.500),
    Land(("986",), -177.20, -13.80, 0.150, 0.150),
    Land(("987",), -149.50, -17.60, 0.150, 0.150),
    Land(("988",), 165.50, -21.30, 0.250, 0.200),
    Land(("989",), -109.22, 10.30, 0.050, 0.040),
)
"""All land; the cells of metropolitan France fill the hexagon that schoolchildren draw."""

SAMPLE = {"13": 50, "2A": 30, "31": 55, "35": 60, "69": 50, "75": 1, "78": 65, "971": 10}
"""Number of communes by département, at the sample scale."""

DENSE = {
    "06": 3,
    "13": 8,
    "31": 2,
    "33": 2,
    "34": 2,
    "35": 2,
    "38": 2,
    "44": 3,
    "59": 3,
    "69": 4,
    "77": 3,
    "78": 4,
    "83": 4,
    "84": 3,
    "91": 6,
    "92": 80,
    "93": 80,
    "94": 60,
    "95": 5,
    "971": 8,
    "972": 7,
    "973": 5,
    "974": 20,
    "976": 10,
}
"""Factor by which the communes of densely populated départements exceed the others' populations."""
