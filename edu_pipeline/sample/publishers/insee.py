"""INSEE's reference files: PCS 2003, table de passage, Code officiel géographique, table d'appartenance.

Belongs here: these files in INSEE's form, or in that of the derived file where INSEE has none. Does not belong here:
figures (`insee_census.py`, `insee_equipment.py`, `insee_income.py`), the codes and zones themselves (`geographies.py`,
`passages.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from edu_pipeline.sample.formats import write_csv, write_zip
from edu_pipeline.sample.geographies import places_of, zones_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.workbook import write_workbook
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

PCS = """
1;1;Agriculteurs exploitants;
1;2;Artisans, commerçants et chefs d’entreprise;
1;3;Cadres et professions intellectuelles supérieures;
1;4;Professions Intermédiaires;
1;5;Employés;
1;6;Ouvriers;
1;7;Retraités;
1;8;Autres personnes sans activité professionnelle;
2;10;Agriculteurs exploitants;1
2;21;Artisans;2
2;22;Commerçants et assimilés;2
2;23;Chefs d’entreprise de 10 salariés ou plus;2
2;31;Professions libérales et assimilés;3
2;32;Cadres de la fonction publique, professions intellectuelles et  artistiques;3
2;36;Cadres d’entreprise;3
2;41;Professions intermédiaires de l’enseignement, de la santé, de la fonction publique et assimilés;4
2;46;Professions intermédiaires administratives et commerciales des entreprises;4
2;47;Techniciens;4
2;48;Contremaîtres, agents de maîtrise;4
2;51;Employés de la fonction publique;5
2;54;Employés administratifs d’entreprise;5
2;55;Employés de commerce;5
2;56;Personnels des services directs aux particuliers;5
2;61;Ouvriers qualifiés;6
2;66;Ouvriers non qualifiés;6
2;69;Ouvriers agricoles;6
2;71;Anciens agriculteurs exploitants;7
2;72;Anciens artisans, commerçants, chefs d’entreprise;7
2;73;Anciens cadres et professions intermédiaires;7
2;76;Anciens employés et ouvriers;7
2;81;Chômeurs n’ayant jamais travaillé;8
2;82;Inactifs divers (autres que retraités);8
3;11;Agriculteurs sur petite exploitation;10
3;12;Agriculteurs sur moyenne exploitation;10
3;13;Agriculteurs sur grande exploitation;10
3;21;Artisans;21
3;22;Commerçants et assimilés;22
3;23;Chefs d’entreprise de 10 salariés ou plus;23
3;31;Professions libérales;31
3;33;Cadres de la fonction publique;32
3;34;Professeurs, professions scientifiques;32
3;35;Professions de l’information, des arts et des spectacles;32
3;37;Cadres administratifs et commerciaux d’entreprise;36
3;38;Ingénieurs et cadres techniques d’entreprise;36
3;42;Professeurs des écoles, instituteurs et assimilés;41
3;43;Professions intermédiaires de la santé et  du travail social;41
3;44;Clergé, religieux;41
3;45;Professions intermédiaires administratives de la fonction publique;41
3;46;Professions intermédiaires administratives et commerciales des entreprises;46
3;47;Techniciens;47
3;48;Contremaîtres, agents de maîtrise;48
3;52;Employés civils et agents de service de la fonction publique;51
3;53;Policiers et militaires;51
3;54;Employés administratifs d’entreprise;54
3;55;Employés de commerce;55
3;56;Personnels des services directs aux particuliers;56
3;62;Ouvriers qualifiés de type industriel;61
3;63;Ouvriers qualifiés de type artisanal;61
3;64;Chauffeurs;61
3;65;Ouvriers qualifiés de la manutention, du magasinage et du transport;61
3;67;Ouvriers non qualifiés de type industriel;66
3;68;Ouvriers non qualifiés de type artisanal;66
3;69;Ouvriers agricoles;69
3;71;Anciens agriculteurs exploitants;71
3;72;Anciens artisans, commerçants, chefs d’entreprise;72
3;74;Anciens cadres;73
3;75;Anciennes professions intermédiaires;73
3;77;Anciens employés;76
3;78;Anciens ouvriers;76
3;81;Chômeurs n’ayant jamais travaillé;81
3;83;Militaires du contingent;82
3;84;Élèves, étudiants;82
3;85;Personnes diverses sans activité  professionnelle de moins de 60 ans (sauf retraités);82
3;86;Personnes diverses sans activité professionnelle de 60 ans et plus (sauf retraités);82
"""
"""The real levels 1 to 3 of the PCS 2003, double spaces included: level, code, label, parent."""

MODALITIES = {"f": "32", "d": "21", "c": "50"}
"""INSEE's codes of events: commune nouvelle, former commune restored, code changed with the chief town."""

PROFESSIONS = 497
LETTERS = "abcdefg"


@publication("insee-pcs", "pcs2003.csv")
def occupations(world: World, path: Path) -> None:
    """The PCS 2003 in the layout of the derived table; of its four levels, the fourth is invented."""
    rows = [line.split(";") for line in PCS.strip().splitlines()]
    groups = [code for level, code, *_ in rows if level == "3"]
    working = [code for code in groups if code < "7"]
    codes = [(f"{group}00", group) for group in groups if group not in working]
    each, rest = divmod(PROFESSIONS - len(codes), len(working))
    for number, group in enumerate(working):
        for place in range(each + (number < rest)):
            codes.append((f"{group}{1 + place // len(LETTERS)}{LETTERS[place % len(LETTERS)]}", group))
    rows += [["4", code, f"Profession inventée {code}", group] for code, group in sorted(codes)]
    frame = pl.DataFrame(rows, schema=["level", "code", "libelle", "parent_code"], orient="row")
    write_csv(frame.with_columns(pl.col("parent_code").replace("", None)), path, line_end="\r\n")


@publication("insee-table-passage", "table_passage_geo2003_geo2026.zip")
def former_codes(world: World, path: Path) -> None:
    """The code in force of every code since 2003: a zipped workbook with five lines above the header.

    It has neither days nor kinds of changes, and of a split the part that kept the code.
    """
    names = dict(world.places.select("code", "nom").iter_rows())
    heirs = _heirs(world)
    codes = sorted({*names, *heirs})
    current = [_current(code, heirs, names) for code in codes]
    table = pl.DataFrame(
        {"CODGEO_INI": codes, "CODGEO_2026": current, "LIBGEO_2026": [names[code] for code in current]}
    )
    split = world.passages.filter(pl.col("typemodif") == "d").select(
        COM_INI="cod_ini", COM_FIN="cod_fin", DATE_SCISSION="date"
    )
    titles = ["Table de passage des codes communes (données inventées)", "Géographie au 1er janvier 2026", "", "", ""]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        workbook = Path(scratch) / "table_passage_geo2003_geo2026.xlsx"
        write_workbook(workbook, {"Table de passage": table, "Liste des scissions": split}, titles)
        write_zip(path, {workbook.name: workbook})


def _heirs(world: World) -> dict[str, str]:
    """The code that each former code became, the last time that it did."""
    moved = world.passages.filter(pl.col("cod_ini") != pl.col("cod_fin"))
    return dict(moved.unique("cod_ini", keep="last").select("cod_ini", "cod_fin").iter_rows())


def _current(code: str, heirs: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The code in force that holds a code."""
    return code if code in names else _current(heirs[code], heirs, names)


@publication("insee-cog", "v_commune_2026.csv")
def communes(world: World, path: Path) -> None:
    """The communes of the Code officiel géographique, the arrondissements, and former communes as COMD.

    A COMD has its own code or that of its parent. The overseas collectivities are in another file.
    """
    places = places_of(world, 2026)
    city = pl.col("code").replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String)
    current = places.join(zones_of(world, places), on="code").select(
        pl.when(city.is_null()).then(pl.lit("COM")).otherwise(pl.lit("ARM")).alias("TYPECOM"),
        pl.col("code").alias("COM"),
        "REG",
        "DEP",
        _collectivity().alias("CTCD"),
        "ARR",
        pl.lit("0").alias("TNCC"),
        _capitals("nom").alias("NCC"),
        pl.col("nom").alias("NCCENR"),
        pl.col("nom").alias("LIBELLE"),
        pl.col("CANOV").alias("CAN"),
        city.alias("COMPARENT"),
    )
    merged = world.passages.filter(pl.col("typemodif") == "f", pl.col("cod_fin").is_in(places["code"].to_list()))
    names = places.select("nom", cod_fin="code")
    former = (
        merged.unique("cod_ini", keep="last", maintain_order=True)
        .join(names, on="cod_fin")
        .select(
            TYPECOM=pl.lit("COMD"),
            COM="cod_ini",
            TNCC=pl.lit("0"),
            NCC=_capitals("nom"),
            NCCENR="nom",
            LIBELLE="nom",
            COMPARENT="cod_fin",
        )
    )
    frame = pl.concat([current, former], how="diagonal").sort("TYPECOM", "COM")
    write_csv(frame.with_columns(pl.all().fill_null("")), path, delimiter=",", quote="all", line_end="\r\n")


@publication("insee-cog", "v_mvt_commune_2026.csv")
def events(world: World, path: Path) -> None:
    """All events of communes, the latest first; a commune nouvelle also has one for each of its communes déléguées.

    The layout is that of the real file, of which the first 297 rows were seen.
    """
    changes = world.passages.select(
        DATE_EFF="date",
        MOD=pl.col("typemodif").replace_strict(MODALITIES),
        TYPECOM_AV=pl.lit("COM"),
        COM_AV="cod_ini",
        TYPECOM_AP=pl.lit("COM"),
        COM_AP="cod_fin",
    )
    delegated = changes.filter(MOD=MODALITIES["f"]).with_columns(TYPECOM_AP=pl.lit("COMD"), COM_AP="COM_AV")
    names = dict(world.places.select("code", "nom").iter_rows())
    heirs = _heirs(world)
    known = {code: names[_current(code, heirs, names)] for code in {*changes["COM_AV"], *changes["COM_AP"]}}
    frame = pl.concat([changes, delegated]).sort(
        "DATE_EFF", "MOD", "COM_AP", "COM_AV", "TYPECOM_AP", descending=[True, False, False, False, False]
    )
    for side in ("AV", "AP"):
        name = pl.col(f"COM_{side}").replace_strict(known).alias(f"LIBELLE_{side}")
        frame = frame.with_columns(name).with_columns(
            pl.lit("0").alias(f"TNCC_{side}"),
            _capitals(f"LIBELLE_{side}").alias(f"NCC_{side}"),
            pl.col(f"LIBELLE_{side}").alias(f"NCCENR_{side}"),
        )
    columns = ("TYPECOM", "COM", "TNCC", "NCC", "NCCENR", "LIBELLE")
    ordered = frame.select("MOD", "DATE_EFF", *(f"{name}_{side}" for side in ("AV", "AP") for name in columns))
    write_csv(ordered, path, delimiter=",", quote="all", line_end="\r\n")


def _collectivity() -> pl.Expr:
    """The code of the collectivity with the powers of a département, which Paris and Corsica share or rename."""
    special = {"75": "75C", "2A": "20R", "2B": "20R"}
    return pl.col("DEP").replace_strict(special, default=pl.col("DEP") + pl.lit("D"), return_dtype=pl.String)


def _capitals(name: str) -> pl.Expr:
    plain = pl.col(name).str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    return plain.str.to_uppercase().str.replace_all(r"[^A-Z0-9]+", " ").str.strip_chars()


@publication("insee-bassins-de-vie", "table-appartenance-geo-communes-2026.zip")
def zones(world: World, path: Path) -> None:
    """The zones of each commune: a zipped workbook with five lines above the header and a blank row at the end."""
    places = places_of(world, 2026)
    every = places.join(zones_of(world, places), on="code").with_columns(
        CODGEO="code",
        LIBGEO="nom",
        CTCD=_collectivity(),
        EPT=pl.lit("ZZZZZZZZZ"),
        COM=pl.col("code").replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String),
    )
    common = ["CODGEO", "LIBGEO", "DEP", "CTCD", "REG", "EPCI", "EPT", "ARR", "CANOV"]
    whole = every.filter(pl.col("COM").is_null()).select(*common, "ZE2020", "UU2020", "AAV2020", "BV2022")
    sheets = {
        "COM": pl.concat([whole, whole.clear(1)]),
        "ARM": every.filter(pl.col("COM").is_not_null()).select("CODGEO", "LIBGEO", "COM", *common[2:]),
        "Zones_supra_communales": _named(whole),
    }
    titles = [
        "Table d'appartenance géographique des communes (données inventées)",
        "Géographie au 1er janvier 2026",
        "",
        "Mise en ligne : données d'échantillon",
        "",
    ]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        workbook = Path(scratch) / "table-appartenance-geo-communes-2026.xlsx"
        write_workbook(workbook, sheets, titles)
        write_zip(path, {workbook.name: workbook})


def _named(communes: pl.DataFrame) -> pl.DataFrame:
    """The zones with their names: that of the main commune for a bassin, else that of the first commune."""
    parts = [
        communes.group_by(CODGEO=level)
        .agg(
            LIBGEO=pl.coalesce(
                pl.col("LIBGEO").filter(pl.col("CODGEO") == pl.col(level)).first(), pl.col("LIBGEO").first()
            ),
            NB_COM=pl.len().cast(pl.String),
        )
        .select(pl.lit(level).alias("NIVGEO"), "CODGEO", "LIBGEO", "NB_COM")
        .sort("CODGEO")
        for level in ("REG", "DEP", "EPCI", "ARR", "CANOV", "ZE2020", "UU2020", "AAV2020", "BV2022")
    ]
    return pl.concat(parts)
