"""The edge in: files become tables and rasters in the study CRS; what is refused, repaired or assumed has a line.

``formats`` turns bytes into raw tables and rasters. One module per kind of layer (``buildings``,
``facilities``, ``areas``, ``stations``, ``population``); all other vector layers have the general reading
(``typing_rows``).
"""

from siteplan.layers.alignment import ShiftPlot, shift_plot
from siteplan.layers.collection import InputFile, Layers, Raster
from siteplan.layers.given import GivenTable, join_tables
from siteplan.layers.lists import ledger_sheets, read_list
from siteplan.layers.reading import inspect_layers, read_layers
from siteplan.layers.verdicts import UNUSABLE, Verdict, file_verdicts, layer_verdicts

__all__ = [
    "UNUSABLE", "GivenTable", "InputFile", "Layers", "Raster", "ShiftPlot", "Verdict", "file_verdicts",
    "inspect_layers", "join_tables", "layer_verdicts", "ledger_sheets", "read_layers", "read_list", "shift_plot",
]
