"""The edge in: files become tables and rasters in the study CRS; what is refused, repaired or assumed has a line.

One module per kind of layer (``buildings``, ``poles``, ``facilities``, ``areas``, ``stations``, ``ground``,
``population``); all other vector layers have the general reading (``typing_rows``).
"""

from siteplan.layers.collection import InputFile, Layers, Raster
from siteplan.layers.reading import read_layers

__all__ = ["InputFile", "Layers", "Raster", "read_layers"]
