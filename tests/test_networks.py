"""Networks and carriers: merging, layers that networks share, interference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from slow_engine import NET, mixed_sectors, same
from test_coverage import flat, omni, params, random_sectors, town

from siteplan import radio
from siteplan.coverage import Network, merge_coverage, predict_coverage, prepare_situation
from siteplan.errors import ModelError


def test_merged_equals_joint_in_every_array():
    surface, sectors = town(), mixed_sectors(town(), 9)
    joint = predict_coverage(surface, sectors, params(), (NET,))
    merged = merge_coverage(*(predict_coverage(surface, half, params(), (NET,))
                              for half in (sectors.iloc[:7], sectors.iloc[7:])))
    same(merged, joint)
    assert merged.sector_ids == joint.sector_ids


def test_indoor_sectors_need_no_plane_of_power():
    surface = flat()
    pair = pd.concat([omni(305, 305, "B", kind="indoor", antenna="indoor", freq_mhz=2100.0), omni(305, 305)])
    with_indoor, alone = predict_coverage(surface, pair, params()), predict_coverage(surface, pair.iloc[1:], params())
    assert len(with_indoor.spectrum.carriers) == len(with_indoor.power) == 1
    assert with_indoor.spectrum.carrier_of.tolist() == [-1, 0]
    same(with_indoor, alone, but=("server",))
    merged = merge_coverage(with_indoor, predict_coverage(surface, omni(405, 305, "C", freq_mhz=700.0), params()))
    assert merged.spectrum.carrier_of.tolist() == [-1, 1, 0]


@pytest.mark.parametrize(("freq_mhz", "bandwidth_mhz", "share"),
                         [(3500.0, 100.0, 1.0), (3550.0, 100.0, 0.5), (3600.0, 100.0, 0.0), (3500.0, 20.0, 0.2)])
def test_only_overlapping_carriers_interfere(freq_mhz, bandwidth_mhz, share):
    """Two masts at one place, seen from the same pixel: the second is 20 dB weaker and loaded by a half."""
    surface = flat()
    pair = pd.concat([omni(305, 305), omni(305, 305, "B", epre_dbm=-2.14, freq_mhz=freq_mhz)])
    pair["bandwidth_mhz"], pair["scs_khz"] = [100.0, bandwidth_mhz], 30.0
    got = predict_coverage(surface, pair, params(model_macro="uma", load_share=0.5))
    alone = predict_coverage(surface, pair.iloc[1:], params(model_macro="uma"))
    signal, other = got.rsrp_dbm[0, 30, 45], alone.rsrp_dbm[0, 30, 45]
    noise = 10.0 ** (float(radio.noise_dbm(30.0, 7.0)) / 10)
    want = 10 * np.log10(10.0 ** (signal / 10) / (0.5 * share * 10.0 ** (other / 10) + noise))
    assert got.sinr_db[0, 30, 45] == pytest.approx(want, abs=0.01)


def test_coverages_of_other_settings_do_not_mix():
    surface = flat()
    one = predict_coverage(surface, omni(205, 305), params())
    with pytest.raises(ModelError, match="noise"):
        merge_coverage(one, predict_coverage(surface, omni(405, 305, "B"), params(noise_figure_db=15.0)))
    for other in (params(threshold_dbm=-80.0), params(indoor=False), params(noise_figure_db=3.0)):
        with pytest.raises(ModelError, match="other settings"):
            prepare_situation(surface, omni(205, 305), other, one)


def test_sinr_may_fall_when_a_site_is_added_and_the_server_keeps_its_signal():
    surface = flat()
    one = predict_coverage(surface, omni(205, 305), params())
    two = predict_coverage(surface, pd.concat([omni(205, 305), omni(405, 305, "B")]), params())
    assert two.sinr_db[0, 30, 25] < one.sinr_db[0, 30, 25]
    noise = float(radio.noise_dbm(30.0, 7.0))
    np.testing.assert_allclose(one.sinr_db, one.rsrp_dbm - noise, atol=0.01)


def test_networks_of_the_same_sectors_share_their_layer():
    """A shared RAN serves each of its operators: one layer, whatever the number of networks."""
    surface = town()
    sectors = random_sectors(surface, 6).assign(networks="电信|联通")
    sectors.iloc[:6, sectors.columns.get_loc("networks")] = "移动"
    got = predict_coverage(surface, sectors, params())
    assert [network.name for network in got.networks] == ["电信", "移动", "联通"]
    assert got.layers[0] is got.layers[2]
    assert got.layers[0] is not got.layers[1]
    for name in ("电信", "移动"):
        alone = predict_coverage(surface, sectors, params(), (Network(name, "5G"),))
        for mine, only in zip(got.layer(Network(name, "5G")), alone.layers[0], strict=True):
            np.testing.assert_array_equal(mine, only)
    assert got.any_5g() is got.any_5g()
    np.testing.assert_array_equal(got.any_5g().probability, got.probability.max(axis=0))


@pytest.mark.parametrize(("freq_mhz", "disturbs"), [(2100.0, False), (2680.0, False), (2660.0, True), (2676.0, True)])
def test_a_merged_coverage_shares_the_layers_that_nothing_disturbs(freq_mhz, disturbs):
    """New carriers of 10 MHz beside a 4G carrier on 2655-2675 MHz: only those that overlap it change its network."""
    surface = town()
    old = random_sectors(surface, 5).assign(networks="移动", technology="4G", freq_mhz=2665.0, bandwidth_mhz=20.0,
                                            scs_khz=15.0)
    new = random_sectors(surface, 5, seed=9).assign(networks="移动", freq_mhz=freq_mhz, bandwidth_mhz=10.0)
    new.index = pd.Index([f"new-{name}" for name in new.index], name="sector_id")
    four = Network("移动", "4G")
    before = predict_coverage(surface, old, params())
    merged = merge_coverage(before, predict_coverage(surface, new, params()))
    assert (merged.layer(four) is before.layer(four)) == (not disturbs)
    same(merged, predict_coverage(surface, pd.concat([old, new]), params()))
    if disturbs:
        assert np.nanmax(before.layer(four).sinr_db - merged.layer(four).sinr_db) > 1.0
