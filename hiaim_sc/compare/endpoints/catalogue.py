"""The clonal endpoints: what each is, where it stands and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from hiaim_sc.compare.endpoints.changes import measure_turnover
from hiaim_sc.compare.endpoints.clonal import expanded_clones, expanded_fraction
from hiaim_sc.compare.endpoints.diversity import concentration, effective_clones
from hiaim_sc.compare.endpoints.repertoires import (
    BASELINE,
    BASELINE_BLOOD,
    BLOOD,
    DEEP_BLOOD,
    DEEP_ITSELF,
    TUMOUR,
    Repertoire,
    Repertoires,
)
from hiaim_sc.compare.endpoints.scales import Measured, as_is, as_number, as_share
from hiaim_sc.compare.endpoints.tissues import dual_expanded, overlap, unseen_share
from hiaim_sc.names import STARTRAC

if TYPE_CHECKING:
    from collections.abc import Callable

    from hiaim_sc.compare.samples import Row


@dataclass(frozen=True)
class Endpoint:
    """A number of one sample's clones.

    Attributes
    ----------
    name
        Of the endpoint.
    scale
        On which it is analysed.
    measure
        The value and the analysed value of a sample that has all that is needed.
    tissues
        Tissues that the study must have; it stands under the first. Empty: any tissue.
    partners
        What the sample is held against; one that needs the baseline stands at later visits only.
    minimum
        Option with the cells that are enough for an endpoint that takes all of them; empty for one
        at the depth m.
    """

    name: str
    scale: str
    measure: Callable[[Repertoire], Measured]
    tissues: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    minimum: str = ""

    @property
    def is_change(self) -> bool:
        """Whether it is held against the patient's own baseline."""
        return bool({BASELINE, BASELINE_BLOOD} & set(self.partners))


def _nexp(found: Repertoire) -> Measured:
    return as_number(expanded_clones(found.counts, found.depth, found.options))


def _expfrac(found: Repertoire) -> Measured:
    value = expanded_fraction(found.counts, found.depth, found.options)
    return as_share(value, found.depth)


def _hill(q: int, found: Repertoire) -> Measured:
    return effective_clones(found.counts, found.depth, q)


def _dual(found: Repertoire) -> Measured:
    blood, depth = found.partner(BLOOD)
    return dual_expanded(
        found.counts,
        blood,
        (found.depth, depth),
        draws=found.options.called_draws,
        rng=found.chance("blood_tumour_dual"),
    )


def _shared(found: Repertoire) -> Measured:
    unseen = unseen_share(found.counts, found.partner(DEEP_BLOOD))
    return as_share(1 - unseen, found.depth)


def _circulating(found: Repertoire) -> Measured:
    unseen = unseen_share(found.counts, found.partner(TUMOUR))
    return as_share(1 - unseen, found.depth)


def _overlap(found: Repertoire) -> Measured:
    return overlap(found.counts, found.partner(BLOOD)[0])


def _novel(found: Repertoire) -> Measured:
    before = found.partner(BASELINE), found.partner(BASELINE_BLOOD)
    return as_share(unseen_share(found.counts, *before), found.depth)


def _turnover(found: Repertoire) -> Measured:
    return measure_turnover(found.partner(BASELINE)[0], found.counts)


_BOTH = ("tumor", "blood")
_BLOOD_FIRST = ("blood", "tumor")
_SINCE = (BASELINE,)

CLONAL = (
    Endpoint("nexp_m", "ln", _nexp),
    Endpoint("expfrac_m", "logit", _expfrac),
    Endpoint("simpson", "ln", lambda found: concentration(found.counts), minimum="min_t_cells"),
    Endpoint("clonality_m", "identity", lambda found: as_is(found.inequality.clonality)),
    Endpoint("gini_m", "identity", lambda found: as_is(found.inequality.gini)),
    *(Endpoint(f"hill_{q}_m", "ln", partial(_hill, q)) for q in (0, 1, 2)),
    Endpoint("n_called_m", "ln", lambda found: found.growth.n_called, partners=_SINCE),
    Endpoint("called_frac_m", "logit", lambda found: found.growth.called_frac, partners=_SINCE),
    Endpoint("gain_m", "logit", lambda found: found.growth.gain, partners=_SINCE),
    Endpoint("turnover", "-ln(1 - x)", _turnover, partners=_SINCE),
    Endpoint("blood_tumour_dual", "logit", _dual, _BOTH, (BLOOD,)),
    Endpoint("share_bt", "logit", _shared, _BOTH, (DEEP_BLOOD,)),
    Endpoint("ctm_frac", "logit", _circulating, _BLOOD_FIRST, (TUMOUR, DEEP_ITSELF)),
    Endpoint("overlap_bt", "ln", _overlap, _BOTH, (BLOOD,)),
    Endpoint("novel_tum", "logit", _novel, _BOTH, (BASELINE, BASELINE_BLOOD)),
)

# Endpoints that are themselves changes since the baseline: they have no baseline value.
CHANGES: Final = frozenset(endpoint.name for endpoint in CLONAL if endpoint.is_change)
# Endpoints that use blood besides the tumour they stand under, and the tumour besides the blood.
WITH_BLOOD: Final = frozenset(e.name for e in CLONAL if e.tissues == _BOTH) | frozenset(STARTRAC)
WITH_TUMOUR: Final = frozenset(e.name for e in CLONAL if e.tissues == _BLOOD_FIRST)


def measure_clonal(repertoires: Repertoires, names: frozenset[str] | None = None) -> list[Row]:
    """`CLONAL` of each sample that each is expected of, with a value or the reason for none.

    Parameters
    ----------
    names
        Only these; by default all.
    """
    present = set(repertoires.depth)
    planned = [
        endpoint
        for endpoint in CLONAL
        if set(endpoint.tissues) <= present and (names is None or endpoint.name in names)
    ]
    rows = []
    for sample in repertoires.located.itertuples():
        # one object for all endpoints, so that those of the same subsamples share them
        found = Repertoire(repertoires, sample)
        rows += [_measure(endpoint, found) for endpoint in planned if _stands(endpoint, found)]
    return rows


def _stands(endpoint: Endpoint, found: Repertoire) -> bool:
    sample = found.sample
    if endpoint.is_change and sample.visit == found.all_samples.baseline:
        return False
    return not endpoint.tissues or sample.tissue == endpoint.tissues[0]


def _measure(endpoint: Endpoint, found: Repertoire) -> Row:
    samples, sample = found.all_samples, found.sample
    row = samples.start(sample, endpoint.name, endpoint.scale)
    minimum = None
    if endpoint.minimum:
        minimum, row["depth"] = getattr(found.options, endpoint.minimum), None
    reasons = [samples.why_missing(sample, minimum)]
    reasons += [samples.why_unpaired(sample, partner) for partner in endpoint.partners]
    row["reason_missing"] = next(filter(None, reasons), "")
    if not row["reason_missing"]:
        row["value"], row["value_analysed"] = endpoint.measure(found)
    return row
