"""The records that a clone can be held against, and how many a database has that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.tcr.databases.formats import RECORD_COLUMNS
from hiaim_sc.tcr.databases.genes import spell_gene

if TYPE_CHECKING:
    from collections.abc import Mapping

# A whole junction: from the conserved C to F or W, of the twenty amino acids. A metric that does
# not know a letter calls it equal to any other.
JUNCTION: Final = r"C[ACDEFGHIKLMNPQRSTVWY]{3,}[FW]"


class Databases(NamedTuple):
    """Usable records, and what each file holds.

    Attributes
    ----------
    records
        `RECORD_COLUMNS` without `species` and `j_call_1`, with `n_records`: how many records say
        the same.
    contents
        Release table `databases`: a row per file.
    """

    records: pd.DataFrame
    contents: pd.DataFrame


def pool_databases(databases: Mapping[str, pd.DataFrame]) -> Databases:
    """Usable records of all files.

    Records that are not of human, or whose species is not said, are left out; so is a junction that
    is not whole, and a record without a whole one. Each is counted. V genes are without allele.

    Parameters
    ----------
    databases
        Digest of the file: its records (`read_database`).
    """
    kept, contents = [], []
    for digest, table in sorted(databases.items()):
        is_human = (table["species"] == "human").to_numpy(bool)
        clean = _clean(table)
        has_any = (clean["junction_aa_1"].notna() | clean["junction_aa_2"].notna()).to_numpy(bool)
        kept.append(clean[is_human & has_any])
        contents.append(
            {
                "database": table["database"].iloc[0] if len(table) else "",
                "digest": digest,
                "n_records": len(table),
                "n_not_human": int((~is_human).sum()),
                "n_no_junction": int((is_human & ~has_any).sum()),
                "n_usable": int((is_human & has_any).sum()),
            }
        )
    columns = [name for name in RECORD_COLUMNS if name not in ("species", "j_call_1")]
    pooled = pd.concat(kept)[columns] if kept else pd.DataFrame(columns=columns, dtype="str")
    counted = pooled.groupby(columns, dropna=False, as_index=False, sort=True).size()
    records = counted.rename(columns={"size": "n_records"}).astype(dict.fromkeys(columns, "str"))
    return Databases(records, pd.DataFrame(contents, columns=list(RELEASE_TABLES["databases"])))


def _clean(table: pd.DataFrame) -> pd.DataFrame:
    clean = table.copy()
    for arm in (1, 2):
        junction = table[f"junction_aa_{arm}"].str.strip().str.upper()
        is_whole = junction.str.fullmatch(JUNCTION).eq(other=True)
        clean[f"junction_aa_{arm}"] = junction.where(is_whole)
        clean[f"v_call_{arm}"] = spell_gene(table[f"v_call_{arm}"]).where(is_whole)
    return clean
