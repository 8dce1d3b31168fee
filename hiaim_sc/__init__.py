"""Single-cell sequencing of a randomised trial: from libraries to patient-level comparisons of arms."""

__version__ = "0.1.0"
