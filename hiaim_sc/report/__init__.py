"""What people and other tools read: tables, figures, the report and exports of a release."""

from hiaim_sc.report.release import ReleaseFacts, ReleaseSource, write_release

__all__ = ["ReleaseFacts", "ReleaseSource", "write_release"]
