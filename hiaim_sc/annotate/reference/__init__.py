"""Labels carried over from a reference of the user's own, side by side with the panel's."""

from hiaim_sc.annotate.reference.agreement import compare_labels
from hiaim_sc.annotate.reference.carrying import CarriedLabels, carry_labels

__all__ = ["CarriedLabels", "carry_labels", "compare_labels"]
