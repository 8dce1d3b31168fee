"""What a study's store keeps: all that a release, or the next run, is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flows._folder import open_study
from flows._order import plan_stages
from flows._releases import remove_halves
from hiaim_sc.storage import collect_garbage

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.storage import Collected, Store


def keep_what_is_needed(folder: Path, store: Store, results: Path, *, remove: bool) -> Collected:
    """Remove artefacts that neither a release nor the next run, blinded or not, is made of.

    Also what runs that died have left of releases. Waits for a run that is at work.

    Parameters
    ----------
    remove
        False only counts.
    """
    with store.locked("run"):
        study = open_study(folder, store)
        needed = {
            record.key
            for blinded in (True, False)
            for record in plan_stages(study, store, blinded=blinded).records
        }
        for path in sorted(results.glob("[0-9]*/manifest.json")):
            manifest = json.loads(path.read_text(encoding="utf-8"))
            needed |= {*manifest["artefacts"].values(), *(t["key"] for t in manifest["tasks"])}
        if remove:
            remove_halves(results)
        return collect_garbage(store, needed, remove=remove)
