"""VDJdb, IEDB and McPAS-TCR as one kind of table: a row per receptor and epitope."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.study.database_header import IEDB, MCPAS, VDJDB, DatabaseHeader, read_database_header
from hiaim_sc.study.file_kinds import read_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RECORD_COLUMNS: Final = (
    "database",
    "species",
    "v_call_1",
    "j_call_1",
    "junction_aa_1",
    "v_call_2",
    "junction_aa_2",
    "epitope",
    "antigen",
    "organism",
    "mhc",
    "score",
)
_VDJDB_PAIRED: Final = {
    "v_call_1": "v.alpha",
    "j_call_1": "j.alpha",
    "junction_aa_1": "cdr3.alpha",
    "v_call_2": "v.beta",
    "junction_aa_2": "cdr3.beta",
}
# columns of the dumps, and of what the web site exports
_VDJDB_COMMON: Final = {
    "species": ("species",),
    "epitope": ("antigen.epitope", "epitope"),
    "antigen": ("antigen.gene", "epitope gene"),
    "organism": ("antigen.species", "epitope species"),
    "mhc_a": ("mhc.a", "mhc a"),
    "mhc_b": ("mhc.b", "mhc b"),
    "score": ("vdjdb.score", "score"),
}
_VDJDB_CHAIN: Final = {
    "gene": ("gene",),
    "complex": ("complex.id",),
    "v_call": ("v.segm", "v"),
    "j_call": ("j.segm", "j"),
    "junction_aa": ("cdr3",),
}
_MCPAS: Final = {
    "species": ("species",),
    "v_call_1": ("trav",),
    "j_call_1": ("traj",),
    "junction_aa_1": ("cdr3.alpha.aa",),
    "v_call_2": ("trbv",),
    "junction_aa_2": ("cdr3.beta.aa",),
    "epitope": ("epitope.peptide",),
    "antigen": ("antigen.protein",),
    "organism": ("pathology",),
    "mhc": ("mhc",),
}
_IEDB: Final = {
    "epitope": ("epitope name", "description"),
    "antigen": ("epitope source molecule", "antigen"),
    "organism": ("epitope source organism", "organism"),
    "mhc": ("assay mhc allele names", "mhc allele names"),
}
_HUMAN: Final = "human"
_IEDB_HUMAN: Final = r"NCBITaxon_9606$|^9606$|sapiens|human"
_TRA_ENDING_IN_W: Final = ("TRAJ33", "TRAJ38")
_MISSING: Final = ("", "NA", "None", "nan", "null", "NULL")


def read_database(path: Path) -> pd.DataFrame:
    """Records of a database, whatever their species and quality: `RECORD_COLUMNS`, all text.

    Chain 1 is alpha, chain 2 beta. VDJdb's dumps with a row per chain are paired by `complex.id`.
    IEDB's curated sequence is taken where it is a whole junction; else the calculated one, which
    lacks the conserved ends: C and F are put back (W with TRAJ33 and TRAJ38).

    Parameters
    ----------
    path
        A VDJdb ``.tsv`` (both chains or one chain in a row), IEDB receptor ``.csv`` or McPAS-TCR
        ``.csv``; plain or gzipped.

    Raises
    ------
    LibraryFaultError
        When it is none of these.
    """
    header = read_database_header(path)
    table = _read(path, header)
    readers = {VDJDB: _read_vdjdb, IEDB: _read_iedb, MCPAS: _read_mcpas}
    found = readers[header.database](table).assign(database=header.database)
    found["species"] = found["species"].fillna("").str.casefold()
    is_human = found["species"].str.fullmatch(r"homo ?sapiens|human")
    found["species"] = found["species"].mask(is_human, _HUMAN)
    return found.reindex(columns=list(RECORD_COLUMNS)).astype("str")


def _read(path: Path, header: DatabaseHeader) -> pd.DataFrame:
    content = read_all(path)
    try:
        content.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:  # McPAS-TCR is written on Windows
        encoding = "latin-1"
    table = pd.read_csv(
        BytesIO(content),
        sep=header.separator,
        header=None,
        skiprows=header.n_lines,
        dtype="str",
        keep_default_na=False,
        na_values=list(_MISSING),
        encoding=encoding,
        low_memory=False,
    )
    table = table.set_axis(list(header.columns), axis=1)
    return table.loc[:, ~table.columns.duplicated()]


def _pick(table: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """The first of these columns that is there; missing where none is."""
    found = next((name for name in names if name in table), None)
    return pd.Series(None, index=table.index, dtype="str") if found is None else table[found]


def _choose(table: pd.DataFrame, names: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame({name: _pick(table, choices) for name, choices in names.items()})


def _read_vdjdb(table: pd.DataFrame) -> pd.DataFrame:
    common = _choose(table, _VDJDB_COMMON)
    mhc = common["mhc_a"].fillna("") + ", " + common["mhc_b"].fillna("")
    common["mhc"] = mhc.str.strip(", ")
    common = common.drop(columns=["mhc_a", "mhc_b"])
    if "cdr3.alpha" in table:
        pair = {name: (column,) for name, column in _VDJDB_PAIRED.items()}
        return pd.concat([common, _choose(table, pair)], axis=1)
    return _pair_chains(pd.concat([common, _choose(table, _VDJDB_CHAIN)], axis=1))


def _pair_chains(chains: pd.DataFrame) -> pd.DataFrame:
    """A row per receptor from a row per chain; chains of complex 0 stand alone."""
    lists = chains["complex"].fillna("0").str.split(r"\s*,\s*", regex=True)
    exploded = chains.assign(complex=lists, row=range(len(chains))).explode("complex")
    is_alone = exploded["complex"].isin(["", "0"])
    alone = "row " + exploded["row"].astype("str")
    exploded["complex"] = alone.where(is_alone, exploded["complex"])
    arms = []
    for gene, arm in (("TRA", 1), ("TRB", 2)):
        own = exploded[exploded["gene"] == gene].drop_duplicates("complex").set_index("complex")
        names = {name: f"{name}_{arm}" for name in ("v_call", "j_call", "junction_aa")}
        arms.append(own.drop(columns=["gene", "row"]).rename(columns=names))
    alpha, beta = arms
    pairs = alpha.combine_first(beta)
    return pairs.reset_index(drop=True)


def _read_mcpas(table: pd.DataFrame) -> pd.DataFrame:
    return _choose(table, _MCPAS)


def _read_iedb(table: pd.DataFrame) -> pd.DataFrame:
    chains = {number: _read_iedb_chain(table, number) for number in (1, 2)}
    found = _choose(table, _IEDB)
    # the exports have alpha first, as a rule
    swapped = (chains[1]["kind"].eq("beta") | chains[2]["kind"].eq("alpha")).to_numpy(bool)
    for arm, other in ((1, 2), (2, 1)):
        for name in ("v_call", "j_call", "junction_aa"):
            found[f"{name}_{arm}"] = chains[arm][name].mask(swapped, chains[other][name])
    found["species"] = _judge_species(chains[1]["species"], chains[2]["species"])
    return found


def _judge_species(*chains: pd.Series) -> pd.Series:
    """``human`` where no chain is of another species and one says so, or the export never says."""
    species = pd.concat(chains, axis=1)
    is_human = species.apply(lambda s: s.astype("str").str.contains(_IEDB_HUMAN, case=False))
    agrees = (is_human | species.isna()).all(axis=1)
    says_so = species.notna().any(axis=1)
    return pd.Series(_HUMAN, index=species.index).where(agrees & (says_so | ~says_so.any()), "")


def _read_iedb_chain(table: pd.DataFrame, number: int) -> pd.DataFrame:
    chain = f"chain {number}"

    def pick(field: str) -> pd.Series:
        known = [f"{chain} {kind} {field}" for kind in ("curated", "calculated")]
        old = [f"{kind} {chain} {field}" for kind in ("curated", "calculated")]
        curated = _pick(table, (known[0], old[0]))
        return _pick(table, (known[1], old[1])).fillna(curated)

    j_call = pick("j gene")
    curated = _pick(table, (f"{chain} cdr3 curated",)).str.strip().str.upper()
    core = _pick(table, (f"{chain} cdr3 calculated",)).str.strip().str.upper()
    kind = _pick(table, (f"{chain} type",)).str.casefold()
    ends_in_w = j_call.str.extract(r"^([^*]+)", expand=False).isin(_TRA_ENDING_IN_W)
    built = "C" + core + ends_in_w.map({True: "W", False: "F"})
    is_whole = curated.str.fullmatch(r"C.+[FW]").eq(other=True)
    return pd.DataFrame(
        {
            "kind": kind,
            "v_call": pick("v gene"),
            "j_call": j_call,
            "junction_aa": curated.where(is_whole, built),
            "species": _pick(table, (f"{chain} organism iri", f"{chain} species")),
        }
    )
