"""Single-cell sequencing of a randomised trial: from libraries to comparisons of arms."""

__version__ = "0.1.0"
