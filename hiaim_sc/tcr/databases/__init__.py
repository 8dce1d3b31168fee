"""Receptors whose antigen is known, and which clones have the same or nearly the same.

A match says that a database holds such a receptor, and never proves what a clone recognises.
"""

from hiaim_sc.tcr.databases.formats import read_database
from hiaim_sc.tcr.databases.matches import match_databases
from hiaim_sc.tcr.databases.records import pool_databases

__all__ = ["match_databases", "pool_databases", "read_database"]
