"""Whether the analysis plan speaks of what the study has."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault
from hiaim_sc.names import ENDPOINTS

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import StudyConfig

_CONFIG = "study.yaml"


def check_plan(config: StudyConfig, measurements: pd.DataFrame | None) -> list[Fault]:
    """Faults of the plan: endpoints, tissues, visits and measurements that the study does not have.

    Parameters
    ----------
    measurements
        In text form; None where the study has none, or none that can be read.
    """
    tissues = config.design.tissues
    faults = [
        Fault(_CONFIG, 0, f"options.compare.{key}", tissue, f"a tissue: {', '.join(tissues)}")
        for key in ("depth", "pmhc_depth")
        for tissue in getattr(config.options.compare, key)
        if tissue not in tissues
    ]
    if config.options.compare.deseq2 and find_spec("pydeseq2") is None:
        allowed = "false, or PyDESeq2: pip install 'hiaim-sc[de]'"
        faults.append(Fault(_CONFIG, 0, "options.compare.deseq2", "true", allowed))
    families = config.analysis_plan.families
    faults += [
        Fault(_CONFIG, 0, "analysis_plan.joint_families", name, f"a family: {', '.join(families)}")
        for name in config.analysis_plan.joint_families
        if name not in families and "joint_families" in config.analysis_plan.model_fields_set
    ]
    faults += [*_check_gates(config), *_check_endpoints(config, measurements)]
    planned, key = config.analysis_plan.registered_primary, "analysis_plan.registered_primary"
    if planned is None:
        return faults
    if planned.visit is not None and planned.visit not in config.design.visits:
        allowed = f"a visit of the design: {', '.join(config.design.visits)}"
        faults.append(Fault(_CONFIG, 0, f"{key}.visit", planned.visit, allowed))
    if measurements is None or measurements.empty:
        return faults
    names = measurements["assay"] + ":" + measurements["analyte"]
    units = measurements.loc[names == planned.endpoint, "unit"]
    if units.empty:
        allowed = f"an assay and analyte of measurements.tsv: {', '.join(sorted(set(names)))}"
        faults.append(Fault(_CONFIG, 0, key, planned.endpoint, allowed))
    elif planned.unit not in set(units):
        allowed = f"{units.iloc[0]}, the unit in measurements.tsv"
        faults.append(Fault(_CONFIG, 0, f"{key}.unit", planned.unit, allowed))
    return faults


def _check_gates(config: StudyConfig) -> list[Fault]:
    plan, tissues = config.analysis_plan, config.design.tissues
    named = {f"key_secondary_tissue.{name}": it for name, it in plan.key_secondary_tissue.items()}
    if "primary_tissue" in plan.model_fields_set:
        named["primary_tissue"] = plan.primary_tissue
    faults = [
        Fault(_CONFIG, 0, f"analysis_plan.{key}", tissue, f"a tissue: {', '.join(tissues)}")
        for key, tissue in named.items()
        if tissue not in tissues
    ]
    allowed = f"an endpoint of key_secondary: {', '.join(plan.key_secondary)}"
    return faults + [
        Fault(_CONFIG, 0, "analysis_plan.key_secondary_tissue", name, allowed)
        for name in plan.key_secondary_tissue
        if name not in plan.key_secondary
    ]


def _check_endpoints(config: StudyConfig, measurements: pd.DataFrame | None) -> list[Fault]:
    # a measurement that is planned may not have been made yet
    plan = config.analysis_plan
    named = {"primary": plan.primary, "key_secondary": plan.key_secondary}
    named |= {f"families.{family}": members for family, members in plan.families.items()}
    measured = set() if measurements is None else _name(measurements)
    known = ENDPOINTS | measured | {f"{name}_acute" for name in measured}
    allowed = f"an endpoint: {', '.join(sorted(ENDPOINTS | measured))}"
    at_rest = "an endpoint at rest: what a bout does is no hypothesis of a gate"
    faults = [
        Fault(_CONFIG, 0, f"analysis_plan.{key}", name, at_rest)
        for key in ("primary", "key_secondary")
        for name in named[key]
        if name.endswith("_acute")
    ]
    return faults + [
        Fault(_CONFIG, 0, f"analysis_plan.{key}", name, allowed)
        for key, names in named.items()
        for name in names
        if name not in known and not (":" in name and not measured)
    ]


def _name(measurements: pd.DataFrame) -> set[str]:
    return set(measurements["assay"] + ":" + measurements["analyte"])
