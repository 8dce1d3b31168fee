"""A label reference: a model that CellTypist trained, as numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import numpy as np
import pandas as pd

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study.reference_pickle import Emptied, UnsafePickleError, read_inert

if TYPE_CHECKING:
    from pathlib import Path

MODEL_KEY: Final = "options.reference.model"
DIGEST_KEY: Final = "options.reference.sha256"
_CLASSIFIERS: Final = ("LogisticRegression", "SGDClassifier")
_MODEL: Final = "a model that celltypist.train returned and its write() saved"


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """One logistic regression per label, on standardised log expression.

    Attributes
    ----------
    labels
        (n_labels,) str.
    genes
        (n_genes,) str, each once: symbols or Ensembl ids.
    weights, intercepts
        (n_labels, n_genes) and (n_labels,).
    means, sds
        (n_genes,) of log expression in the cells that the model was trained on.
    """

    labels: np.ndarray
    genes: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    @property
    def has_ensembl_ids(self) -> bool:
        """Whether most genes are named by Ensembl id, not by symbol."""
        return bool(2 * np.char.startswith(self.genes.astype(str), "ENSG").sum() > len(self.genes))

    def to_tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The model as two tables: a row per gene, a row per label."""
        by_gene = {"gene": self.genes, "mean": self.means, "sd": self.sds}
        columns = {f"weight_{i}": self.weights[i] for i in range(len(self.labels))}
        of_labels = {"reference_label": self.labels, "intercept": self.intercepts}
        return pd.DataFrame({**by_gene, **columns}), pd.DataFrame(of_labels)

    @classmethod
    def of_tables(cls, of_genes: pd.DataFrame, of_labels: pd.DataFrame) -> Self:
        """The model that `to_tables` wrote."""
        weights = [f"weight_{i}" for i in range(len(of_labels))]
        return cls(
            labels=of_labels["reference_label"].to_numpy(dtype=object),
            genes=of_genes["gene"].to_numpy(dtype=object),
            weights=np.ascontiguousarray(of_genes[weights].to_numpy(dtype=np.float64).T),
            intercepts=of_labels["intercept"].to_numpy(dtype=np.float64),
            means=of_genes["mean"].to_numpy(dtype=np.float64),
            sds=of_genes["sd"].to_numpy(dtype=np.float64),
        )


def read_reference_model(path: Path, sha256: str) -> ReferenceModel:
    """The model in a file that `celltypist.models.Model.write` made.

    Parameters
    ----------
    path
        A ``.pkl``; nothing in it is run.
    sha256
        Digest that the file must have, hexadecimal.

    Raises
    ------
    UserInputError
        When the file has another digest, cannot be read, or holds no such model.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        _refuse(MODEL_KEY, path.name, f"a file that can be read ({error.strerror})")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        _refuse(DIGEST_KEY, sha256, f"the digest of {path.name}, which is {found}")
    try:
        return _to_model(read_inert(content))
    except UnsafePickleError as error:
        _refuse(MODEL_KEY, path.name, f"{_MODEL}; {error}")


def _refuse(key: str, value: str, allowed: str) -> NoReturn:
    raise UserInputError([Fault("study.yaml", 0, key, value, allowed)])


def _to_model(content: Any) -> ReferenceModel:
    parts = content if isinstance(content, dict) else {}
    classifier, scaler = parts.get("Model"), parts.get("Scaler_")
    _require(type(classifier).__name__ in _CLASSIFIERS, f"a {' or '.join(_CLASSIFIERS)} as Model")
    _require(type(scaler).__name__ == "StandardScaler", "a StandardScaler as Scaler_")
    labels = _text(classifier, "classes_")
    genes = _text(classifier, "features")
    weights = np.atleast_2d(_numbers(classifier, "coef_"))
    intercepts = np.atleast_1d(_numbers(classifier, "intercept_"))
    if len(labels) == 2 and len(weights) == 1:  # of the second label against the first
        weights, intercepts = np.vstack([-weights, weights]), np.r_[-intercepts, intercepts]
    is_centred = bool(vars(scaler).get("with_mean", True))
    means = _numbers(scaler, "mean_") if is_centred else np.zeros(len(genes))
    sds = _numbers(scaler, "scale_")
    _require(len(labels) > 1 and "" not in labels, "two labels or more, none of them empty")
    _require(len(set(labels)) == len(labels), "each label once")
    _require(len(set(genes)) == len(genes), "each gene once")
    shapes = (weights.shape, intercepts.shape, means.shape, sds.shape)
    n_labels, n_genes = len(labels), len(genes)
    _require(
        shapes == ((n_labels, n_genes), (n_labels,), (n_genes,), (n_genes,)),
        f"a weight for each of its {n_labels} labels and {n_genes} genes",
    )
    _require(bool((sds > 0).all()), "standard deviations above 0")
    return ReferenceModel(labels, genes, weights, intercepts, means, sds)


def _require(holds: bool, words: str) -> None:  # noqa: FBT001  reads as a sentence
    if not holds:
        msg = f"it lacks {words}"
        raise UnsafePickleError(msg)


def _attribute(part: Any, name: str) -> Any:
    _require(isinstance(part, Emptied) and name in vars(part), name)
    return vars(part)[name]


def _text(part: Any, name: str) -> np.ndarray:
    values = np.asarray(_attribute(part, name))
    _require(values.ndim == 1, f"a list of names as {name}")
    return np.array([str(value) for value in values], dtype=object)


def _numbers(part: Any, name: str) -> np.ndarray:
    try:
        values = np.asarray(_attribute(part, name), dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    _require(bool(np.isfinite(values).all()), f"finite numbers as {name}")
    return values
