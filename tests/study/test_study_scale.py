"""A study of 350 libraries is checked by its headers: few openings, no heavy import."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hiaim_sc.study import check_design, check_files, find_allocation_faults, read_study

N_LIBRARIES = 350
HEAVY = ("scanpy", "anndata", "scirpy", "muon", "matplotlib", "sklearn", "prefect")


@pytest.fixture
def large_study(small_study):
    """Like the small study, with 350 libraries, a matrix and a contig table each."""
    samples = ["sample_id\tpatient_id\tvisit\ttissue"]
    libraries = ["library_id\tsample_id\tbatch\tgex\tvdj"]
    patients = ["patient_id\ttreatment"]
    matrix = (small_study / "lib/L1.h5").read_bytes()
    contigs = (small_study / "lib/L1.csv").read_bytes()
    for n in range(N_LIBRARIES):
        (small_study / f"lib/G{n}.h5").write_bytes(matrix)
        (small_study / f"lib/G{n}.csv").write_bytes(contigs)
        visit = ("baseline", "week6")[n % 2]
        patients += [f"P{n // 2}\tchemo"] * (n % 2)
        samples.append(f"S{n}\tP{n // 2}\t{visit}\tblood")
        libraries.append(f"G{n}\tS{n}\trun{n // 50}\tlib/G{n}.h5\tlib/G{n}.csv")
    small_study.remove(*(path.name for path in small_study.path.glob("*.tsv")))
    arms = [f"P{n}\t{('control', 'exercise')[n % 2]}" for n in range(N_LIBRARIES // 2)]
    for name, lines in {
        "participants": patients,
        "samples": samples,
        "libraries": libraries,
        "allocation": ["patient_id\tarm", *arms],
    }.items():
        (small_study / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return small_study


@pytest.fixture
def opened(large_study, monkeypatch):
    """How often each file of the study is opened, by name; not what Python imports meanwhile."""
    counts: Counter[str] = Counter()
    plain = io.open

    def count_open(file, *args, **kwargs):
        if isinstance(file, str | Path) and Path(file).is_relative_to(large_study.path):
            counts[Path(file).name] += 1
        return plain(file, *args, **kwargs)

    monkeypatch.setattr(io, "open", count_open)
    monkeypatch.setattr(builtins, "open", count_open)
    return counts


def test_reading_opens_the_tables_alone(large_study, opened):
    read_study(large_study.path)
    assert opened == dict.fromkeys(
        ["study.yaml", "participants.tsv", "samples.tsv", "libraries.tsv"], 1
    )


def test_each_file_is_opened_for_its_header_only(large_study, opened):
    study = read_study(large_study.path)
    assert find_allocation_faults(study) + check_design(study) == []
    opened.clear()
    assert check_files(study) == []
    assert {name: n for name, n in opened.items() if name.endswith(".h5")} == {
        f"G{n}.h5": 1 for n in range(N_LIBRARIES)
    }
    assert {name: n for name, n in opened.items() if name.endswith(".csv")} == {
        f"G{n}.csv": 1 for n in range(N_LIBRARIES)
    }


def test_checking_imports_nothing_heavy(small_study):
    code = f"""
import sys
from hiaim_sc.study import check_design, check_files, find_allocation_faults, read_study
study = read_study({str(small_study.path)!r})
faults = [*check_files(study), *check_design(study), *find_allocation_faults(study)]
print(len(faults), sorted(set({HEAVY}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 []"
