"""Which clones match which records, how closely, and whether the patient has the HLA."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import DatabaseOptions
from hiaim_sc.tcr import match_databases
from hiaim_sc.tcr.databases.matches import MATCH_COLUMNS, name_bystanders
from hiaim_sc.tcr.databases.similar import find_similar

CHAINS = ["v_call_1", "junction_aa_1", "v_call_2", "junction_aa_2"]
A, VA, B, VB = "CAGAGSQGNLIF", "TRAV27", "CASSIRSSYEQYF", "TRBV19"
NEAR, FAR, OTHER = "CASSIRSAYEQYF", "CASSIRAAYEQYF", "CASSPPGGTDTQYF"
HLA = pd.DataFrame({"patient_id": ["P1", "P2"], "hla": ["A*02:01, B*07:02", None]})


def make_clones(*chains: tuple, patient="P1", invariant="") -> pd.DataFrame:
    table = pd.DataFrame(chains, columns=CHAINS, dtype=object)
    keys = [f"clone {number}" for number in range(len(table))]
    return table.assign(clone_key=keys, patient_id=patient, n_cells=2, invariant=invariant)


def make_records(*chains: tuple, **known) -> pd.DataFrame:
    said = {"database": "VDJdb", "epitope": "GILGFVFTL", "antigen": "M1", "organism": "InfluenzaA"}
    said |= {"mhc": "HLA-A*02:01, B2M", "score": "2", "n_records": 1} | known
    return pd.DataFrame(chains, columns=CHAINS, dtype=object).assign(**said)


def match(clones, records, **options) -> pd.DataFrame:
    return match_databases(clones, records, HLA, DatabaseOptions(**options))


@pytest.mark.parametrize(
    ("clone", "level"),
    [
        ((VA, A, VB, B), "pair"),
        ((VA, A, "TRBV7-2", B), "VDJ"),
        (("TRAV1-1", A, VB, B), "VDJ+V"),
        ((VA, "CAVF", VB, B), "VDJ+V"),
        ((None, None, VB, B), "VDJ+V"),
        ((None, None, None, B), "VDJ"),
        ((None, None, VB, NEAR), "similar"),
        ((None, None, VB, FAR), None),
        ((None, None, VB, B[:-2] + "F"), None),
        ((None, None, "TRBV7-2", NEAR), None),
        ((VA, A, VB, NEAR), "similar"),
        ((VA, A, VB, OTHER), "VJ+V"),
        ((VA, A, None, None), "VJ+V"),
        (("TRAV1-1", A, None, None), None),
        ((None, None, None, None), None),
    ],
)
def test_the_closest_level_is_said(clone, level):
    found = match(make_clones(clone), make_records((VA, A, VB, B)))
    assert found["match_level"].tolist() == ([level] if level else [])
    assert list(found) == list(MATCH_COLUMNS)
    if level:
        assert found["is_strong"].item() == (level in ("pair", "VDJ+V"))


def test_similar_chains_are_an_option():
    records, clone = make_records((VA, A, VB, B)), make_clones((None, None, VB, NEAR))
    assert match(clone, records, similar=False).empty


def test_of_several_records_of_an_epitope_the_closest_count():
    """Two records of the same beta chain: one with this alpha, one with another."""
    records = pd.concat(
        [
            make_records((VA, A, VB, B), score="1", mhc="HLA-A*02"),
            make_records(("TRAV1-1", "CAVF", VB, B), score="3"),
            make_records((None, None, VB, B), epitope="NLVPMVATV", organism="CMV"),
        ],
        ignore_index=True,
    )
    found = match(make_clones((VA, A, VB, B)), records)
    assert found[["epitope", "match_level", "n_records", "score"]].to_numpy().tolist() == [
        ["GILGFVFTL", "pair", 1, 1.0],
        ["NLVPMVATV", "VDJ+V", 1, 2.0],
    ]
    assert found["mhc"].tolist() == ["HLA-A*02", "HLA-A*02:01, B2M"]
    assert found["bystander"].tolist() == ["influenza", "CMV"]


def test_alpha_chains_that_everybody_has_are_not_matched_by():
    mait = make_clones((VA, A, VB, OTHER), invariant="MAIT")
    assert match(mait, make_records((VA, A, VB, B))).empty


def test_cells_are_counted_over_libraries_and_a_clone_is_one_row():
    twice = pd.concat([make_clones((VA, A, VB, B))] * 2).assign(n_cells=[2, 5])
    assert match(twice, make_records((VA, A, VB, B)))["n_cells"].tolist() == [7]


def test_nothing_to_match_gives_the_columns():
    assert list(match(make_clones(), make_records((VA, A, VB, B)))) == list(MATCH_COLUMNS)
    assert list(match(make_clones((VA, A, VB, B)), make_records())) == list(MATCH_COLUMNS)


def test_one_record_with_the_patients_hla_is_enough_and_an_untyped_patient_is_unknown():
    records = pd.concat(
        [make_records((None, None, VB, B), mhc=mhc) for mhc in ("HLA-A*01:01", "HLA-A*02:01")],
        ignore_index=True,
    )
    clone = (VA, A, VB, B)
    assert match(make_clones(clone), records)["hla_match"].tolist() == ["yes"]
    assert match(make_clones(clone), records.iloc[:1])["hla_match"].tolist() == ["no"]
    assert match(make_clones(clone, patient="P2"), records)["hla_match"].tolist() == ["unknown"]


@pytest.mark.parametrize(
    ("organism", "virus"),
    [
        ("CMV", "CMV"),
        ("Human herpesvirus 5 (Human cytomegalovirus)", "CMV"),
        ("Human herpesvirus 5 strain AD169", "CMV"),
        ("EBV", "EBV"),
        ("Epstein Barr virus (EBV)", "EBV"),
        ("Human herpesvirus 4 (Epstein Barr virus)", "EBV"),
        ("InfluenzaA", "influenza"),
        ("Influenza A virus (A/Puerto Rico/8/1934(H1N1))", "influenza"),
        ("IAV", "influenza"),
        ("Haemophilus influenzae", ""),
        ("Human parainfluenza virus 3", ""),
        ("SARS-CoV-2", ""),
        ("Homo sapiens", ""),
        (None, ""),
    ],
)
def test_common_viruses_are_named_whatever_the_database_calls_them(organism, virus):
    assert name_bystanders(pd.Series([organism], dtype="str")).tolist() == [virus]


@given(
    left=st.lists(st.text("AC", min_size=1, max_size=5), max_size=12),
    right=st.lists(st.text("AC", min_size=1, max_size=5), max_size=12),
)
@settings(deadline=None, max_examples=40)
def test_similar_pairs_are_those_of_brute_force(left, right):
    expected = [
        (i, j)
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1
    ]
    found = find_similar(pd.Series(left, dtype="str"), pd.Series(right, dtype="str"))
    assert list(zip(*(side.tolist() for side in found), strict=True)) == expected


@pytest.mark.slow  # numba compiles
def test_scirpy_finds_the_same_beta_chains():
    """`ir_query` over VDJ, primary chains, same V gene, up to Hamming distance 1."""
    import scirpy as ir

    rng = np.random.default_rng(3)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    chains = [
        (None, None, f"TRBV{rng.integers(1, 3)}", f"CAS{''.join(rng.choice(letters[:4], 3))}F")
        for _ in range(60)
    ]
    clones = make_clones(*chains[:30])
    records = make_records(*dict.fromkeys(chains[30:]), n_records=1)
    records = records.assign(epitope=[f"E{number}" for number in range(len(records))])
    found = match(clones, records)
    of_v = found[found["match_level"].isin(["VDJ+V", "similar"])]
    mine = set(zip(of_v["clone_key"], of_v["epitope"], strict=True))

    cells, reference = (_airr(t, n) for t, n in ((clones, "clone_key"), (records, "epitope")))
    ir.pp.ir_dist(cells, reference, metric="hamming", cutoff=1, sequence="aa", n_jobs=1)
    query = {"metric": "hamming", "sequence": "aa"}
    rules = {"receptor_arms": "VDJ", "dual_ir": "primary_only", "same_v_gene": True}
    ir.tl.ir_query(cells, reference, **query, **rules)
    table = ir.tl.ir_query_annotate_df(cells, reference, **query, include_ref_cols=["name"])
    table = table.dropna()
    assert mine == set(zip(table.index, table["name"], strict=True))
    assert {"VDJ+V", "similar"} <= set(found["match_level"])


def _airr(table, name):
    import scirpy as ir

    cells = []
    for row in table.itertuples():
        cell = ir.io.AirrCell(getattr(row, name))
        chain = ir.io.AirrCell.empty_chain_dict()
        chain |= {"locus": "TRB", "v_call": row.v_call_2, "junction_aa": row.junction_aa_2}
        cell.add_chain(chain | {"productive": True, "umi_count": 5})
        cells.append(cell)
    adata = ir.io.from_airr_cells(cells)
    adata.obs["name"] = adata.obs_names
    adata.uns["DB"] = {"name": "reference"}
    ir.pp.index_chains(adata)
    return adata
