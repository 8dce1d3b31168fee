"""The study folder: its config, its tables, its allocation, and what is wrong with them."""

from hiaim_sc.study.allocation import find_allocation_faults, read_allocation
from hiaim_sc.study.design_checks import aliased_levels, check_design, note_batches
from hiaim_sc.study.file_checks import check_files, inspect_library
from hiaim_sc.study.folder import read_study
from hiaim_sc.study.hla import agree_hla, group_alleles, presents, split_alleles
from hiaim_sc.study.library_files import LibraryFiles
from hiaim_sc.study.plan import (
    FrozenPlan,
    PlanChange,
    changed_files,
    changes_since,
    freeze_plan,
    hash_plan,
    plan_of,
    read_frozen_plan,
    require_frozen_plan,
)
from hiaim_sc.study.plan_files import named_files
from hiaim_sc.study.pooling import place_cells, pool_tables
from hiaim_sc.study.read_layouts import packaged_layouts, read_layout
from hiaim_sc.study.reference_checks import check_reference, study_reference
from hiaim_sc.study.screen_checks import check_screens
from hiaim_sc.study.screens import (
    ScreenFiles,
    are_bulk,
    cell_antigens,
    held_screens,
    list_screens,
    screen_files,
    screen_tags,
)
from hiaim_sc.study.study import Study
from hiaim_sc.study.tag_files import ScreenTags, TagSet, read_tags

__all__ = [
    "FrozenPlan",
    "LibraryFiles",
    "PlanChange",
    "ScreenFiles",
    "ScreenTags",
    "Study",
    "TagSet",
    "agree_hla",
    "aliased_levels",
    "are_bulk",
    "cell_antigens",
    "changed_files",
    "changes_since",
    "check_design",
    "check_files",
    "check_reference",
    "check_screens",
    "find_allocation_faults",
    "freeze_plan",
    "group_alleles",
    "hash_plan",
    "held_screens",
    "inspect_library",
    "list_screens",
    "named_files",
    "note_batches",
    "packaged_layouts",
    "place_cells",
    "plan_of",
    "pool_tables",
    "presents",
    "read_allocation",
    "read_frozen_plan",
    "read_layout",
    "read_study",
    "read_tags",
    "require_frozen_plan",
    "screen_files",
    "screen_tags",
    "split_alleles",
    "study_reference",
]
