"""What people and other tools read: tables, figures, the report and exports of a release."""

from hiaim_sc.report.deviations import list_deviations
from hiaim_sc.report.release import ReleaseFacts, ReleaseSource, write_release

__all__ = ["ReleaseFacts", "ReleaseSource", "list_deviations", "write_release"]
