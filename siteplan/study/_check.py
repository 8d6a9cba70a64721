"""Read and judge the layers of a study without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from siteplan.errors import LayerError
from siteplan.export import write_check
from siteplan.layers import Layers, file_verdicts, inspect_layers, layer_verdicts
from siteplan.layers import read_layers as read_sources
from siteplan.params import StudyParams
from siteplan.study._file import Study
from siteplan.study._register_layers import with_register


def context_m(params: StudyParams) -> float:
    """Features this far outside the boundary still matter: they serve, block and interfere, m."""
    return max(params.coverage.max_range_m, params.study.margin_m)


def read_layers(study: Study) -> Layers:
    """Read, project and check every layer the study names (see :func:`siteplan.layers.read_layers`).

    What the register of the study says is joined to them.
    """
    params = study.params
    found = _joined(study, read_sources(params.layers, params.study.crs, study.root, context_m(params), study.venues))
    if found.problems:
        raise LayerError("储备库的内容不能使用：", found.problems)
    return found


def check_layers(study: Study) -> Layers:
    """As `read_layers`; what would stop a run stands in ``Layers.problems`` instead of being raised."""
    params = study.params
    return _joined(study, inspect_layers(params.layers, params.study.crs, study.root, context_m(params), study.venues))


def _joined(study: Study, layers: Layers) -> Layers:
    """Layers with what the register of the study says."""
    return with_register(layers, study.register, study.params, study.equipment, context_m(study.params), study.venues)


def file_facts(layers: Layers) -> tuple[Mapping[str, Any], ...]:
    """Facts of every input file, with ``verdict`` and ``why``."""
    return tuple({**asdict(file), "verdict": verdict.word, "why": verdict.why}
                 for file, verdict in zip(layers.files, file_verdicts(layers), strict=True))


def write_layer_check(study: Study, layers: Layers, out: Path | str) -> dict[str, Path]:
    """Write ``ledger.csv`` and ``ledger.xlsx`` of a check into a folder; see :func:`siteplan.export.write_check`."""
    verdicts = [(verdict.layer, verdict.word, verdict.why) for verdict in layer_verdicts(layers)]
    return write_check(Path(out), study.params.study.name, layers.ledger, file_facts(layers), verdicts)
