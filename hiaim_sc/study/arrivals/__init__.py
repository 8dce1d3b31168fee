"""Libraries that arrive while we look: when one is ready, and what is known of it."""

from hiaim_sc.study.arrivals.delivery import Look, look_at
from hiaim_sc.study.arrivals.entries import Entry, Purge, Quarantine, Release, Standing
from hiaim_sc.study.arrivals.letting_in import let_library_in
from hiaim_sc.study.arrivals.purging import (
    Owned,
    hold_copies,
    is_personal,
    leave_out,
    owned_by,
    says_something,
)
from hiaim_sc.study.arrivals.registry import Registry
from hiaim_sc.study.arrivals.standing import hold_against
from hiaim_sc.study.arrivals.watcher import Watcher

__all__ = [
    "Entry",
    "Look",
    "Owned",
    "Purge",
    "Quarantine",
    "Registry",
    "Release",
    "Standing",
    "Watcher",
    "hold_against",
    "hold_copies",
    "is_personal",
    "leave_out",
    "let_library_in",
    "look_at",
    "owned_by",
    "says_something",
]
