"""A synthetic HI-AIM cohort: real file formats, and the truth kept apart from them."""

from hiaim_sc.simulate.library import SimulatedLibrary
from hiaim_sc.simulate.screens import ScreenDesign, ScreenNoise, draw_tags, write_screen
from hiaim_sc.simulate.settings import SimulationSettings, read_settings
from hiaim_sc.simulate.simulation import simulate_cohort, simulate_library

__all__ = [
    "ScreenDesign",
    "ScreenNoise",
    "SimulatedLibrary",
    "SimulationSettings",
    "draw_tags",
    "read_settings",
    "simulate_cohort",
    "simulate_library",
    "write_screen",
]
