"""What-if: sectors added, moved and taken away against predicting anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_engine import mixed_sectors, same
from test_coverage import params, random_sectors, town

from siteplan.coverage import (
    crop_coverage,
    predict_coverage,
    prepare_situation,
    what_if,
)
from siteplan.errors import ModelError


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_if_equals_predicting_anew(data):
    surface = town(81, seed=2)
    sectors = mixed_sectors(surface, 8, seed=data.draw(st.integers(0, 9)))
    chosen = params(data.draw(st.sampled_from([150.0, 200.0, 400.0])), indoor=data.draw(st.booleans()))
    situation = prepare_situation(surface, sectors, chosen, predict_coverage(surface, sectors, chosen))
    gone = data.draw(st.lists(st.sampled_from(list(sectors.index)), unique=True, max_size=4))
    extra = mixed_sectors(surface, 2, seed=data.draw(st.integers(50, 60)))
    new = extra.rename(index=lambda name: f"new-{name}").iloc[:data.draw(st.integers(0, 4))]
    moved = sectors.loc[gone[:2]].assign(x=lambda t: (t["x"] + 150.0) % 810.0)
    added = pd.concat([new, moved])
    change = what_if(situation, gone, added)
    after = pd.concat([sectors.drop(gone), added])
    want = predict_coverage(surface, after, chosen, situation.coverage.networks)
    same(change.after, crop_coverage(want, change.region), but=("server", "second_server", "power"))
    for name in ("server", "second_server"):
        got, full = getattr(change.after, name), crop_coverage(want, change.region)
        ids = np.array([*change.after.sector_ids, ""], object)
        np.testing.assert_array_equal(ids[got], np.array([*want.sector_ids, ""], object)[getattr(full, name)])
    outside = np.ones(surface.geobox.shape, bool)
    outside[change.region] = False
    np.testing.assert_array_equal(want.rsrp_dbm[:, outside], situation.coverage.rsrp_dbm[:, outside])
    np.testing.assert_array_equal(want.sinr_db[:, outside], situation.coverage.sinr_db[:, outside])
    assert set(change.removed) == set(gone) - set(moved.index)
    assert set(change.changed) == set(moved.index)


def test_what_if_tells_what_it_does_not_know():
    surface = town(81, seed=2)
    sectors = random_sectors(surface, 3)
    coverage = predict_coverage(surface, sectors, params())
    situation = prepare_situation(surface, sectors, params(), coverage)
    with pytest.raises(ModelError, match="no such sectors: nobody; sectors are there already: S0-1"):
        what_if(situation, ["nobody"], sectors.iloc[:1])
    with pytest.raises(ModelError, match="just these sectors"):
        prepare_situation(surface, sectors.iloc[:-1], params(), coverage)
    nothing = what_if(situation)
    same(nothing.after, nothing.before, but=("power", "server", "second_server"))


@pytest.mark.parametrize("standing", [0, 3])
def test_added_sectors_may_bring_a_network_of_their_own(standing):
    """A first site in a study without stations, or a newcomer beside the operators that are there."""
    surface = town(81, seed=2)
    sectors = random_sectors(surface, 4).assign(networks="移动")
    old, new = sectors.iloc[:3 * standing // 3], sectors.iloc[3:6].assign(networks="电信|联通")
    situation = prepare_situation(surface, old, params(), predict_coverage(surface, old, params()))
    change = what_if(situation, [], new)
    want = predict_coverage(surface, pd.concat([old, new]), params())
    assert change.after.networks == want.networks
    same(change.after, crop_coverage(want, change.region), but=("server", "second_server", "power"))
    assert np.nanmax(change.after.probability) > 0.5
