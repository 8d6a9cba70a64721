"""Datum suspicion: a file that would fit better if its coordinates were GCJ-02, BD-09 or shifted is told."""

from siteplan.layers.alignment._judging import JUDGED, ShiftPlot, check_alignment, shift_plot, tell_alignment

__all__ = ["JUDGED", "ShiftPlot", "check_alignment", "shift_plot", "tell_alignment"]
