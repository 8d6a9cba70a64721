"""The toy town as the kinds of candidates see it, and short words for its ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
from conftest import rect, table

from siteplan.candidates import CandidateContext
from siteplan.coverage import load_equipment
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.surface import Surface
from siteplan.venues import load_venues


def town_context(flat: Surface, *, gap: np.ndarray | None = None, params: CandidateParams | None = None,
                 as_of: Any = None, **layers: Any) -> CandidateContext:
    """A context with the layers given by rows, the square kilometre as boundary, and gaps everywhere."""
    given = {"boundary": {"city": {"geometry": rect(0, 0, 1000, 1000), "name": "小镇"}}, **layers}
    tables = {name: table(name, given.get(name, {})) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    gap = np.ones(flat.geobox.shape, bool) if gap is None else gap
    return CandidateContext(tables, tables["boundary"], flat, gap, load_venues(), load_equipment(),
                            params or CandidateParams(), as_of=as_of)


def told(context: CandidateContext, layer: str) -> list[str]:
    """Reasons of the ledger lines of a layer."""
    return [line.reason for line in context.ledger if line.layer == layer]
