"""The text identity of a clone.

``patient_id|LOCUS1:v_call:junction|LOCUS2:v_call:junction``, VJ arm first, of the clone's most
frequent primary pair; the text of a missing arm is empty. Where clones are told apart by secondary
chains too (`dual_ir: all`), these follow: ``...|VJ_2|VDJ_2``, both fields or none.

Two clones of a patient never get one key. With ``primary_only`` and ``any``, cells with the same
primary pair are of one clone, so the pair names at most one. With ``all`` the chains of a key are
all chains of the clone, and these define it. Loci keep receptor subtypes apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import numpy as np

    from hiaim_sc.tcr.chains import Chains


def name_clones(
    patient_id: pd.Series,
    clone: np.ndarray,
    chains: Chains,
    *,
    defines: np.ndarray,
    with_secondary: bool,
) -> np.ndarray:
    """(n_cells,) `clone_key` of each cell.

    Parameters
    ----------
    patient_id, clone
        (n_cells,) patient and number of the clone.
    chains
        Chains of the cells.
    defines
        (n_cells,) whether the cell has a say: rescued cells, which lack an arm, have none.
    with_secondary
        Whether secondary chains are part of the identity.
    """
    slots = [0, 2, 1, 3] if with_secondary else [0, 2]
    columns = [f"slot_{slot}" for slot in slots]
    voters = pd.DataFrame(chains.ids[defines][:, slots], columns=columns).assign(
        clone=clone[defines], patient_id=patient_id.to_numpy()[defines]
    )
    pairs = voters.groupby(["clone", "patient_id", *columns], as_index=False).size()
    pairs["pair_size"] = pairs.groupby(["clone", *columns[:2]])["size"].transform("sum")
    pairs["text"] = _pair_text(pairs, columns, chains)
    order = ["clone", "pair_size", "size", "text"]
    best = pairs.sort_values(order, ascending=[True, False, False, True]).drop_duplicates("clone")
    return best.set_index("clone")["text"].reindex(clone).to_numpy(object)


def _pair_text(pairs: pd.DataFrame, columns: list[str], chains: Chains) -> pd.Series:
    texts = [chains.describe(pairs[column].to_numpy()) for column in columns]
    text = pairs["patient_id"].astype("str") + "|" + texts[0] + "|" + texts[1]
    if len(texts) == 2:
        return text
    secondary = "|" + texts[2] + "|" + texts[3]
    return text + secondary.where(secondary != "||", "")
