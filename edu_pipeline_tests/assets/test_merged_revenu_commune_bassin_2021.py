"""merged_revenu_commune_bassin_2021: hidden values, decimal commas, arrondissements, INSEE's bassins."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import polars as pl

from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import Row, conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, real_file

TABLE = "merged_revenu_commune_bassin_2021"
COMMUNES, BASSINS, MEASURES = "insee_filosofi_2021", "insee_bassins_de_vie", "insee_filosofi_2021__bv"
HEADER = (
    "CODGEO;NBMENFISC21;NBPERSMENFISC21;MED21;PIMP21;TP6021;TP60AGE121;TP60AGE221;TP60AGE321;TP60AGE421;TP60AGE521;"
    "TP60AGE621;TP60TOL121;TP60TOL221;PACT21;PTSA21;PCHO21;PBEN21;PPEN21;PPAT21;PPSOC21;PPFAM21;PPMINI21;PPLOGT21;"
    "PIMPOT21;D121;D921;RD21"
)
SECRET = "01001;346;895;25820" + ";s" * 24
AMBERIEU = (
    "01004;6855;15092;21660;50,0;17,0;17,0;22,0;19,0;16,0;11,0;s;5,0;27,0;72,3;65,7;3,2;3,4;25,3;10,2;7,0;2,6;3,0;1,4;"
    "-14,8;11890;36450;3,1"
)
PARIS_1 = (
    "75101;8414;14945;35030;71,0;12,0;20,0;11,0;13,0;12,0;11,0;s;7,0;15,0;81,8;69,5;2,6;9,7;13,5;34,7;1,4;0,3;0,7;0,4;"
    "-31,4;12610;94430;7,5"
)
NOWHERE = "01999" + ";nd" * 27
ZONING = [
    "CODGEO,LIBGEO,DEP,CTCD,REG,EPCI,EPT,ARR,CANOV,ZE2020,UU2020,AAV2020,BV2022",
    "01001,L'Abergement-Clémenciat,01,01D,84,200069193,ZZZZZZZZZ,012,0108,8405,01000,524,01093",
    "01093,Châtillon-sur-Chalaronne,01,01D,84,200069193,ZZZZZZZZZ,012,0108,8405,01202,524,01093",
    "01004,Ambérieu-en-Bugey,01,01D,84,240100883,ZZZZZZZZZ,011,0101,8405,01302,243,01004",
    "75056,Paris,75,75C,11,200054781,T1,751,ZZZZ,1109,00851,001,75056",
    ",,,,,,,,,,,,",
]
PLACES = pl.LazyFrame(
    {
        "code_commune": ["01001", "01004", "75056", "75101"],
        "code_commune_parent": [None, None, None, "75056"],
    }
)
OF_THE_BASSIN = (
    "nb_menages_fiscaux_bassin",
    "mediane_niveau_vie_bassin",
    "taux_pauvrete_bassin",
    "d1_bassin",
    "d9_bassin",
    "rapport_interdecile_bassin",
)


def merged(folder: Path, bassins: list[str] | None = None) -> Conformed:
    def from_lines(parameter: str, lines: list[str]) -> pl.LazyFrame:
        (folder / parameter).mkdir()
        return from_text(TABLE, parameter, lines, folder / parameter)

    return conformed(
        TABLE,
        **{
            COMMUNES: from_lines(COMMUNES, [HEADER, SECRET, AMBERIEU, PARIS_1, NOWHERE]),
            BASSINS: from_lines(BASSINS, ZONING),
            "info_communes": PLACES,
            MEASURES: from_lines(MEASURES, bassins) if bassins else None,
        },
    )


def by_commune(result: Conformed) -> dict[str, dict[str, object]]:
    return {row["code_commune"]: row for row in result.frame.iter_rows(named=True)}


def test_hidden_values_are_null_decimal_commas_are_read(tmp_path: Path) -> None:
    result = merged(tmp_path)
    assert result.refused.is_empty()
    secret, amberieu = by_commune(result)["01001"], by_commune(result)["01004"]
    assert (secret["nb_menages_fiscaux"], secret["mediane_niveau_vie"]) == (346, 25820)
    assert [secret[name] for name in ("taux_pauvrete", "d1", "d9", "rapport_interdecile", "pimpot21")] == [None] * 5
    assert (amberieu["taux_pauvrete"], amberieu["d1"], amberieu["d9"]) == (17, 11890, 36450)
    assert (amberieu["rapport_interdecile"], amberieu["pimpot21"]) == (Decimal("3.1"), Decimal("-14.8"))
    assert amberieu["tp60age621"] is None


def test_a_bassin_is_named_after_its_main_commune(tmp_path: Path) -> None:
    rows = by_commune(merged(tmp_path))
    assert {code: (row["code_bassin_vie"], row["libelle_bassin_vie"]) for code, row in rows.items()} == {
        "01001": ("01093", "Châtillon-sur-Chalaronne"),
        "01004": ("01004", "Ambérieu-en-Bugey"),
        "75101": ("75056", "Paris"),
        "01999": (None, None),
    }


def test_without_insees_bassins_their_figures_are_null(tmp_path: Path) -> None:
    rows = by_commune(merged(tmp_path))
    assert all(row[name] is None for row in rows.values() for name in OF_THE_BASSIN)


def test_the_figures_of_a_bassin_are_insees_own(tmp_path: Path) -> None:
    bassin = AMBERIEU.replace("01004;6855;15092;21660", "01093;9000;21000;22100")
    hidden = "75056;1007247;1958437;29730" + ";s" * 24
    rows = by_commune(merged(tmp_path, [HEADER.lower(), bassin, hidden]))
    assert [rows["01001"][name] for name in OF_THE_BASSIN] == [9000, 22100, 17, 11890, 36450, Decimal("3.1")]
    assert [rows["75101"][name] for name in OF_THE_BASSIN] == [1007247, 29730, None, None, None, None]
    assert [rows["01004"][name] for name in OF_THE_BASSIN] == [None] * 6


def real_rows(parameter: str, delimiter: str) -> list[Row]:
    path = real_file(tables()[TABLE].files[parameter])
    assert path is not None
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


def test_the_real_files() -> None:
    result = produced(TABLE)
    assert (result.frame.height, result.refused.height) == (34_909, 0)
    rows = real_rows(COMMUNES, ";")
    assert result.frame["mediane_niveau_vie"].null_count() == sum(row["MED21"] in ("s", "nd") for row in rows) == 3_605
    assert result.frame["taux_pauvrete"].null_count() == sum(row["TP6021"] in ("s", "nd") for row in rows) == 30_512
    households = sum(int(row["NBMENFISC21"]) for row in rows if row["NBMENFISC21"].isdigit())
    assert result.frame["nb_menages_fiscaux"].sum() == households
    taxes = sum(Decimal(row["PIMPOT21"].replace(",", ".")) for row in rows if row["PIMPOT21"] not in ("s", "nd"))
    assert result.frame["pimpot21"].sum() == taxes


def test_every_real_bassin_has_the_code_of_a_commune_in_it() -> None:
    """The name of a bassin, which the zoning does not give, depends on this."""
    zoning = {row["CODGEO"]: row for row in real_rows(BASSINS, ",") if row["CODGEO"]}
    bassins = {row["BV2022"] for row in zoning.values()}
    assert (len(zoning), len(bassins)) == (34_935, 1_707)
    assert all(zoning[code]["BV2022"] == code for code in bassins)
    result = produced(TABLE).frame
    assert result["code_bassin_vie"].null_count() == result["libelle_bassin_vie"].null_count() == 0
    names = dict(result.select("code_bassin_vie", "libelle_bassin_vie").unique().rows())
    assert names == {code: zoning[code]["LIBGEO"] for code in names}
    arrondissements = result.filter(pl.col("code_commune").str.contains("^(751|6938|132)"))
    assert set(arrondissements["code_bassin_vie"]) == {"75056", "69123", "13055"}
    assert arrondissements.height == 45
