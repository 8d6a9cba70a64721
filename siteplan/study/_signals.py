"""What reaches the pixels, by technology and threshold: each asked for once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Coverage, Network, predict_coverage, sectors_of_sites
from siteplan.coverage._models import MODEL_NAMES, models_of
from siteplan.gaps import ErrorComponent, Rule, error_components
from siteplan.gaps.judging.areas import Signal
from siteplan.grid import pixel_of
from siteplan.radio import shadow_sigma_db
from siteplan.study._networks import wanted_networks
from siteplan.study._scene import Scene

_STANDS_IN = {"cost231": "uma", "p2108": "uma", "free_space": "rma"}
"""Models that TR 38.901 does not know, and whose correlation distance they take."""


def serves(scene: Scene) -> str:
    """Networks a new site serves, joined by ``|``."""
    return "|".join(wanted_networks(scene.params.candidates.serves, scene.networks))


def proposed_sectors(scene: Scene, sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Sectors of the proposed sites; a table without rows where there are none."""
    proposed = None if sites is None else sites[sites["status"] == "proposed"].sort_index()
    if proposed is None or proposed.empty:
        return scene.sectors.iloc[:0]
    return sectors_of_sites(proposed, scene.equipment, None)


def all_sectors(scene: Scene, sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Sectors of the existing stations, then those of the proposed sites."""
    return pd.concat([scene.sectors, proposed_sectors(scene, sites)])


@dataclass(frozen=True)
class Signals:
    """One state of a scene as the rules ask for it.

    Attributes
    ----------
    scene : Scene
    coverage : Coverage
        At the threshold of the study.
    sites : GeoDataFrame or None
        The sites table whose proposed sites serve as well.
    """

    scene: Scene
    coverage: Coverage
    sites: gpd.GeoDataFrame | None = None
    _asked: dict[float, Mapping[Network, Signal]] = field(default_factory=dict, repr=False)
    _best: dict[tuple[str, float | None], Signal] = field(default_factory=dict, repr=False)

    def at(self, rule: Rule) -> Mapping[Network, Signal]:
        """Signals of all networks at the threshold of a rule; one that differs from the study's is predicted anew.

        Of such a prediction the probabilities alone are kept.
        """
        own = self.coverage.threshold_dbm
        wanted = own if rule.threshold_dbm is None else rule.threshold_dbm
        if wanted not in self._asked:
            self._asked[wanted] = _signals(self.coverage if wanted == own else self._predicted(wanted))
        return self._asked[wanted]

    def _predicted(self, threshold_dbm: float) -> Coverage:
        """The same sectors at another threshold; the signal inside only where the study asks for it."""
        scene = self.scene
        params = scene.params.coverage.model_copy(update={"threshold_dbm": threshold_dbm})
        return predict_coverage(scene.surface, all_sectors(scene, self.sites), params, list(self.coverage.networks),
                                equipment=scene.equipment, calibration=scene.calibration)

    def knows(self, rule: Rule) -> bool:
        """Whether anything is known of the rule's technology: 5G is planned, so that none is an answer; 4G is not."""
        return rule.technology == "5G" or any(network.technology == rule.technology for network in self.at(rule))

    def any_network(self, rule: Rule) -> Signal:
        """The best of all networks of the rule's technology."""
        asked = rule.technology, rule.threshold_dbm
        if asked not in self._best:
            self._best[asked] = self._best_of(rule)
        return self._best[asked]

    def _best_of(self, rule: Rule) -> Signal:
        heard = self.networks(rule)
        once = list({id(signal.probability): signal for signal in heard.values()}.values())
        if not once:
            best = self.coverage.any_of(rule.technology)
            return Signal(best.probability, best.indoor_probability, threshold_dbm=rule.threshold_dbm)
        inside = [signal.indoor_probability for signal in once if signal.indoor_probability is not None]
        return Signal(reduce(np.maximum, [signal.probability for signal in once]),
                      reduce(np.fmax, inside) if len(inside) == len(once) else None,
                      threshold_dbm=once[0].threshold_dbm)

    @cached_property
    def error_parts(self) -> tuple[ErrorComponent, ErrorComponent]:
        """Parts of the prediction error, see :func:`error_parts`."""
        return error_parts(self.scene)

    def networks(self, rule: Rule) -> Mapping[str, Signal]:
        """Every network of the rule's technology, by its name."""
        return {network.name: signal for network, signal in self.at(rule).items()
                if network.technology == rule.technology}


def _signals(coverage: Coverage) -> Mapping[Network, Signal]:
    """Probabilities of every network; those of one layer share their arrays."""
    return {network: Signal(layer.probability, layer.indoor_probability, threshold_dbm=coverage.threshold_dbm)
            for network, layer in zip(coverage.networks, coverage.layers, strict=True)}


def error_parts(scene: Scene) -> tuple[ErrorComponent, ErrorComponent]:
    """Parts of the prediction error: those of the model that most sectors take, without sight.

    Without sight the fading is greater and alike over a longer distance, so the bands are rather too wide than too
    narrow. Of a calibration, whose sigma holds both parts, the rest beside the fading counts as the model's.
    """
    there = scene.sectors[scene.sectors["kind"] != "indoor"]
    model = "uma"
    if len(there):
        rows, cols = pixel_of(scene.surface.geobox, there["x"].to_numpy(float), there["y"].to_numpy(float))
        numbers = models_of(scene.surface, there, rows, cols, scene.params.coverage)
        model = MODEL_NAMES[int(pd.Series(numbers).mode().iloc[0])]
    model = _STANDS_IN.get(model, model)
    shadow = float(shadow_sigma_db(model, False))
    beside = scene.params.coverage.model_sigma_db
    if scene.calibration is not None:
        whole = sum(scene.calibration.sigma_blocked_db) / len(scene.calibration.sigma_blocked_db)
        beside = max(whole**2 - shadow**2, 0.0) ** 0.5
    return error_components(model, blocked=True, shadow_sigma_db=shadow, model_sigma_db=beside)
