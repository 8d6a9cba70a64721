"""Antennas: measured patterns in every habit of writing, malformed files, tables over angle, SSB envelopes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.coverage import load_equipment
from siteplan.coverage._antennas import (
    Antenna,
    AntennaPattern,
    SsbBeam,
    half_power_width_deg,
    pattern_tables,
    ssb_envelope,
)
from siteplan.errors import ModelError
from siteplan.layers.formats.antenna_files import parse_antenna, read_antenna_file
from siteplan.radio import pattern_loss_db

WIDTH, HEIGHT, TILT = 65.0, 8.0, 6.0
PANEL = Antenna(gain_dbi=17.5, horizontal_deg=WIDTH, vertical_deg=HEIGHT, side_lobe_db=25.0, depth_db=30.0,
                source="made up")
HEAD = "NAME Panel 17\nMAKE Works\nFREQUENCY 2600\nH_WIDTH 65\nGAIN 17.5 dBi\nTILT ELECTRICAL 6\n"


def off(degrees, axis):
    return (np.asarray(degrees, float) - axis + 180.0) % 360.0 - 180.0


def planes(step=1.0, tilt=TILT, start=0.0):
    """Angles and attenuations of the panel's planes, its beam pointing `tilt` degrees down."""
    angles = np.arange(start, start + 360.0, step)
    horizontal = np.minimum(12.0 * (off(angles, 0.0) / WIDTH) ** 2, 30.0)
    return angles, horizontal, np.minimum(12.0 * (off(angles, tilt) / HEIGHT) ** 2, 25.0)


def rows(angles, values, form="{:g} {:.4f}"):
    return "".join(form.format(angle, value) + "\n" for angle, value in zip(angles, values, strict=True))


def msi(head=HEAD, form="{:g} {:.4f}", **shape):
    angles, horizontal, vertical = planes(**shape)
    count = angles.size
    return (f"{head}HORIZONTAL {count}\n{rows(angles, horizontal, form)}"
            f"VERTICAL {count}\n{rows(angles, vertical, form)}")


def good(text, encoding="utf-8"):
    reading = parse_antenna(text if isinstance(text, bytes) else text.encode(encoding), "x.msi")
    assert reading.problems == ()
    return AntennaPattern(*reading.pattern)


def bad(text):
    reading = parse_antenna(text if isinstance(text, bytes) else text.encode(), "x.msi")
    assert reading.pattern is None
    assert all(problem.reason and problem.remedy and problem.file == "x.msi" for problem in reading.problems)
    return reading.problems


# ---------------------------------------------------------------- files

def test_a_plain_file_reads_back():
    pattern = good(msi())
    _, horizontal, vertical = planes()
    assert (pattern.name, pattern.gain_dbi, pattern.freq_mhz, pattern.tilt_deg) == ("Panel 17", 17.5, 2600.0, 6.0)
    np.testing.assert_allclose(pattern.horizontal_db, horizontal, atol=6e-5)
    np.testing.assert_allclose(pattern.vertical_db, vertical, atol=6e-5)
    assert pattern.horizontal_deg == pytest.approx(WIDTH, abs=0.3)
    assert pattern.vertical_deg == pytest.approx(HEIGHT, abs=0.3)
    assert pattern.notes == ()


@pytest.mark.parametrize("data", [
    msi().replace("\n", "\r\n").encode(),
    msi().replace("\n", "\r").encode(),
    msi().lower().replace("dbi", "dBi").encode(),
    msi().replace("HORIZONTAL 360", "Horizontal: 360").encode(),
    msi().replace("HORIZONTAL 360", "HORIZONTAL").encode(),
    msi().replace(".", ",").encode(),
    msi(form="{:g}\t{:.4f}").encode(),
    msi(form="  {:g};{:.4f}").encode(),
    msi(form="{:.1f},{:.4f}").encode(),
    msi(start=-180.0).encode(),
    msi().replace("MAKE Works", "COMMENT 京信通信,双极化定向智能天线").encode("gbk"),
    msi().replace("MAKE Works", "COMMENT 双极化定向天线").encode("utf-8-sig"),
    msi().encode("utf-16"),
    msi().replace("MAKE Works", "COMMENT 65° Öl").encode("latin-1"),
    (msi() + "\x1a").encode(),
    msi().replace("NAME Panel 17\n", "\nPanel 17\n").encode(),
    msi().replace("TILT ELECTRICAL 6", "ELECTRICAL TILT 6").encode(),
    msi().replace("TILT ELECTRICAL 6", "TILT ELECTRICAL").encode(),
    msi().replace("TILT ELECTRICAL 6\n", "").encode(),
    msi().replace("17.5 dBi", "15.35 dBd").encode(),
    msi().replace("17.5 dBi", "15.35").encode(),
    msi().replace("FREQUENCY 2600", "FREQUENCY 2.6 GHz").encode(),
    msi().replace("FREQUENCY 2600", "FREQUENCY 2515-2685 MHz").encode(),
], ids=lambda data: data[:12].decode("latin-1"))
def test_other_habits_of_writing_change_nothing(data):
    plain, pattern = good(msi()), good(data)
    np.testing.assert_array_equal(pattern.horizontal_db, plain.horizontal_db)
    np.testing.assert_array_equal(pattern.vertical_db, plain.vertical_db)
    assert pattern.name.lower() == "panel 17"
    assert (pattern.gain_dbi, pattern.freq_mhz, pattern.tilt_deg) == (17.5, 2600.0, 6.0)
    assert pattern.notes == ()


@pytest.mark.parametrize("step", [0.1, 0.5, 2.0, 5.0])
def test_other_numbers_of_rows_are_brought_to_whole_degrees(step):
    pattern, plain = good(msi(step=step)), good(msi())
    bend = 24.0 / HEIGHT**2 * step**2 / 8.0 + 2e-4  # of a parabola below its chord
    front = np.abs(off(np.arange(360), 0.0)) < 95  # further round the chord cuts the corner at the floor
    assert np.abs(pattern.horizontal_db - plain.horizontal_db)[front].max() <= bend
    near = np.abs(off(np.arange(360), TILT)) < 10
    assert np.abs(pattern.vertical_db - plain.vertical_db)[near].max() <= bend + 0.5 * (step > 1)


def test_rows_for_0_and_360_and_one_row_more_than_announced():
    angles, horizontal, vertical = planes()
    more = np.append(angles, 360.0)
    text = (f"{HEAD}HORIZONTAL 360\n{rows(more, np.append(horizontal, horizontal[0]))}"
            f"VERTICAL 361\n{rows(more, np.append(vertical, vertical[0]))}")
    pattern = good(text)
    np.testing.assert_array_equal(pattern.horizontal_db, good(msi()).horizontal_db)
    assert pattern.notes == ("水平面写明 360 行，实有 361 行，全部采用",)


def test_the_vertical_plane_may_show_the_front_half_only():
    angles, horizontal, vertical = planes(start=-180.0)
    front = np.abs(angles) <= 90
    text = (f"{HEAD}HORIZONTAL 360\n{rows(angles, horizontal)}"
            f"VERTICAL {front.sum()}\n{rows(angles[front], vertical[front])}")
    np.testing.assert_array_equal(good(text).vertical_db[:90], good(msi()).vertical_db[:90])
    half = f"{HEAD}HORIZONTAL 181\n{rows(angles[front], horizontal[front])}VERTICAL 360\n{rows(angles, vertical)}"
    assert [problem.reason for problem in bad(half)] == ["水平面的角度没有连成一圈，最大间隔 180°"]


def test_negative_gains_are_turned_round_and_told():
    angles, horizontal, vertical = planes()
    pattern = good(f"{HEAD}HORIZONTAL 360\n{rows(angles, -horizontal)}VERTICAL 360\n{rows(angles, vertical)}")
    np.testing.assert_array_equal(pattern.horizontal_db, good(msi()).horizontal_db)
    assert pattern.notes == ("水平面写的是负的增益，已改为衰减",)


def test_a_plane_that_does_not_start_at_zero_is_brought_there_and_told():
    angles, horizontal, vertical = planes()
    pattern = good(f"{HEAD}HORIZONTAL 360\n{rows(angles, horizontal + 2.0)}VERTICAL 360\n{rows(angles, vertical)}")
    assert pattern.horizontal_db[0] == 0.0
    assert pattern.notes == ("水平面最小衰减 2 dB，已归零",)


@pytest.mark.parametrize(("beam", "said", "taken", "note"), [
    (6.0, "6", 6.0, ""), (6.0, "5", 5.0, ""), (0.0, "", 0.0, ""), (4.0, "ELECTRICAL 4T", 4.0, ""),
    (6.0, "-6", 6.0, "按主瓣"), (-6.0, "6", 6.0, "翻转"), (0.0, "8", 0.0, "按主瓣"), (6.0, "MECHANICAL 3", 6.0, ""),
    (-3.0, "", -3.0, "")])
def test_the_tilt_is_where_the_main_beam_points(beam, said, taken, note):
    pattern = good(msi(HEAD.replace("TILT ELECTRICAL 6", f"TILT {said}"), tilt=beam))
    assert pattern.tilt_deg == taken
    assert [note in text for text in pattern.notes] == ([True] if note else [])
    assert pattern.vertical_db[round(taken) % 360] <= 0.2  # half a degree and less beside the axis
    if note == "翻转":
        np.testing.assert_allclose(pattern.vertical_db, good(msi()).vertical_db, atol=1e-9)


@pytest.mark.parametrize(("change", "line", "field", "reason"), [
    (lambda t: "", "", "", "空"),
    (lambda t: "\0\1\2", "", "", "不是文本"),
    (lambda t: t.split("VERTICAL")[0], "", "VERTICAL", "没有垂直面"),
    (lambda t: t[:t.index("\n300 ", 5000)], "368", "VERTICAL", "写明 360 行，只有"),
    (lambda t: t.replace("\n7 0.1392\n", "\n7 0.x\n"), "15", "HORIZONTAL", "应为角度和衰减两个数"),
    (lambda t: t.replace("\n7 0.1392\n", "\n7 0.1392 3\n"), "15", "HORIZONTAL", "应为角度和衰减两个数"),
    (lambda t: t.replace("\n7 0.1392\n", "\n7 nan\n"), "15", "HORIZONTAL", "应为角度和衰减两个数"),
    (lambda t: t.replace("\n7 0.1392\n", "\n7 -0.1392\n"), "7", "HORIZONTAL", "有正有负"),
    (lambda t: t.replace("\n7 0.1392\n", "\n7 999\n"), "7", "HORIZONTAL", "超出范围"),
    (lambda t: t.replace("\n7 0.1392\n", "\n700 0.1392\n"), "7", "HORIZONTAL", "超出范围"),
    (lambda t: t.replace("\n7 0.1392\n", "\n6 9.0\n"), "7", "HORIZONTAL", "重复"),
    (lambda t: t + t, "735", "HORIZONTAL", "出现了两次"),
    (lambda t: t.replace("17.5 dBi", "seventeen"), "5", "GAIN", "增益读不出"),
    (lambda t: t.replace("17.5 dBi", "175 dBi"), "5", "GAIN", "增益读不出"),
    (lambda t: t.replace("FREQUENCY 2600", "FREQUENCY 5"), "", "", ""),
    (lambda t: t.replace("FREQUENCY 2600", "FREQUENCY ?"), "3", "FREQUENCY", "频率读不出"),
    (lambda t: msi(tilt=90.0), "368", "VERTICAL", "主瓣在 90°"),
    (lambda t: msi(tilt=180.0), "368", "VERTICAL", "主瓣在 180°"),
])
def test_malformed_files_are_told_with_line_and_remedy(change, line, field, reason):
    text = change(msi())
    if not reason:  # 5 is 5 GHz
        assert good(text).freq_mhz == 5000.0
        return
    problem = bad(text)[0]
    assert reason in problem.reason
    assert (problem.row, problem.field) == (line, field)


def test_all_problems_of_a_file_are_told_at_once():
    text = msi().replace("17.5 dBi", "x").replace("FREQUENCY 2600", "FREQUENCY x").replace("\n7 0.1392\n", "\n7 ..\n")
    assert [problem.field for problem in bad(text.split("VERTICAL")[0])] == [
        "HORIZONTAL", "GAIN", "FREQUENCY", "HORIZONTAL", "VERTICAL"]


def test_files_that_cannot_be_opened_are_told(tmp_path):
    def reason(name):
        problem, = read_antenna_file(tmp_path / name, name).problems
        assert problem.file == name
        return problem.reason

    (tmp_path / "big.msi").write_bytes(b"1 2\n" * 1_100_000)
    (tmp_path / "folder.msi").mkdir()
    assert "不存在" in reason("none.msi")
    assert "文件夹" in reason("folder.msi")
    assert "过大" in reason("big.msi")
    (tmp_path / "x.pln").write_text(msi(), encoding="utf-8")
    assert read_antenna_file(tmp_path / "x.pln", "x.pln").pattern.name == "Panel 17"


@given(st.data())
def test_no_bytes_make_the_reader_fail(data):
    """A good file with pieces cut out, doubled or replaced is read, or refused with reasons."""
    whole = msi(step=5.0).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    piece = data.draw(st.one_of(st.binary(max_size=20), st.sampled_from([b"nan 3\n", b"1e999 1\n", b"HORIZONTAL 3\n",
                                                                         b"1,2,3\n", b"-5 -5\n", b"GAIN -\n", whole])))
    reading = parse_antenna(whole[:start] + piece + whole[end:], "x.msi")
    assert (reading.pattern is None) == bool(reading.problems)
    if reading.pattern is not None:
        for plane in (reading.pattern.horizontal_db, reading.pattern.vertical_db):
            assert plane.shape == (360,)
            assert np.isfinite(plane).all()
            assert plane.min() == 0.0
        assert math.isfinite(reading.pattern.tilt_deg)


def test_a_pattern_is_checked_and_cannot_be_changed():
    zeros = np.zeros(360)
    pattern = AntennaPattern("a", zeros, zeros)
    with pytest.raises(ValueError, match="read-only"):
        pattern.horizontal_db[0] = 1.0
    zeros[0] = 5.0
    assert pattern.vertical_db[0] == 0.0
    for wrong in (np.zeros(361), np.full(360, np.nan), np.full(360, -1.0)):
        with pytest.raises(ModelError, match="vertical_db"):
            AntennaPattern("a", np.zeros(360), wrong)


def test_half_power_width():
    assert half_power_width_deg(np.zeros(360), 0.0) == 360.0
    lopsided = np.where(np.arange(360) < 180, np.arange(360) * 1.0, (360.0 - np.arange(360)) * 0.5)
    assert half_power_width_deg(lopsided, 0.0) == pytest.approx(3.0 + 6.0)


# ---------------------------------------------------------------- tables

@pytest.mark.parametrize("name", ["macro_64t", "panel_passive", "panel_700", "macro_omni", "pole_micro", "indoor"])
@pytest.mark.parametrize("deepest", [30.0, 12.0])
def test_tables_of_a_parabola_are_those_of_tr_38901(name, deepest):
    antenna = load_equipment().antennas[name]
    horizontal, vertical, depth = pattern_tables(antenna, None, deepest, 1.0)
    assert (horizontal.shape, vertical.shape) == ((361,), (721,))
    assert horizontal.dtype == vertical.dtype == np.float32
    beam = (np.inf if antenna.omni else antenna.horizontal_deg, antenna.vertical_deg)
    cap = min(antenna.depth_db, deepest)
    want = pattern_loss_db(np.arange(361.0)[:, None], (np.arange(721.0) / 4.0 - 90.0)[None, :], beam, cap,
                           min(antenna.side_lobe_db, cap))
    np.testing.assert_allclose(np.minimum(horizontal[:, None] + vertical[None, :], depth), want, atol=1e-5)


@pytest.mark.parametrize("tilt", [0.0, 3.0, 6.0, 12.0, -2.0])
def test_the_tilt_of_a_measured_pattern_is_taken_out(tilt):
    pattern = good(msi(HEAD.replace("ELECTRICAL 6", f"ELECTRICAL {tilt:g}"), tilt=tilt))
    got, want = (pattern_tables(PANEL, measured, 30.0, 1.0) for measured in (pattern, None))
    bend = 24.0 / HEIGHT**2 / 8.0 + 1e-3
    np.testing.assert_allclose(got[0], want[0], atol=1e-3)
    near = np.abs(np.arange(721) / 4.0 - 90.0) < 11.0  # inside the floor of the side lobes, whose corner is cut
    np.testing.assert_allclose(got[1][near], want[1][near], atol=bend)
    assert got[1][360] < 0.01


def test_below_the_axis_is_positive():
    vertical = np.where((np.arange(360) > 0) & (np.arange(360) < 180), 10.0, 20.0)  # 10 dB below the horizon, 20 above
    vertical[0] = 0.0
    measured = Antenna(**{**PANEL.model_dump(), "pattern": "x.msi"})
    table = pattern_tables(measured, AntennaPattern("a", np.zeros(360), vertical), 30.0, 1.0)[1]
    assert (table[360], table[364], table[356]) == (0.0, 10.0, 20.0)
    with pytest.raises(ModelError, match=r"x\.msi"):
        pattern_tables(measured, None, 30.0, 1.0)


@given(st.floats(0.0, 1.0), st.floats(0.0, 40.0), st.sampled_from(sorted(load_equipment().antennas)))
def test_the_scale_damps_and_the_depth_caps(scale, deepest, name):
    antenna = load_equipment().antennas[name]
    full, damped = pattern_tables(antenna, None, deepest, 1.0), pattern_tables(antenna, None, deepest, scale)
    for whole, part in zip(full[:2], damped[:2], strict=True):
        np.testing.assert_allclose(part, scale * whole.astype(np.float64), rtol=1e-6, atol=1e-6)
        assert part.min() == 0.0
    assert damped[2] == min(scale * antenna.depth_db, deepest)


# ---------------------------------------------------------------- SSB beams

BEAMS = st.builds(SsbBeam, azimuth_deg=st.floats(-90, 90), width_deg=st.floats(3, 120), gain_db=st.floats(-20, 0))


def slow_gain(beams, degree, element_width, depth):
    """Strongest beam towards one direction, dB: one beam and one formula after the other."""
    def fall(angle, axis, width):
        apart = abs(angle - axis) % 360.0
        apart = min(apart, 360.0 - apart)
        return min(12.0 * (apart / width) ** 2, depth)

    return max(beam.gain_db - fall(degree, 0.0, element_width) - fall(degree, beam.azimuth_deg, beam.width_deg)
               for beam in beams)


@given(st.lists(BEAMS, min_size=1, max_size=8))
def test_the_envelope_is_the_strongest_beam(beams):
    gains = np.array([slow_gain(beams, degree, 65.0, 30.0) for degree in range(361)])
    envelope = ssb_envelope(beams)
    np.testing.assert_allclose(envelope, gains.max() - gains, atol=1e-9)
    assert envelope.min() == 0.0
    assert envelope[0] == pytest.approx(envelope[360])


def test_more_beams_hold_the_edge_up():
    one, seven = ([SsbBeam(azimuth_deg=a, width_deg=15.0) for a in axes] for axes in ((0.0,), range(-45, 46, 15)))
    assert (ssb_envelope(seven) <= ssb_envelope(one) + 1e-9).all()
    assert ssb_envelope(seven)[45] == pytest.approx(12.0 * (45.0 / 65.0) ** 2)
    with pytest.raises(ModelError, match="at least one beam"):
        ssb_envelope([])
    antenna = load_equipment().antennas["macro_ssb"]
    np.testing.assert_array_equal(pattern_tables(antenna, None, 30.0, 1.0)[0],
                                  ssb_envelope(antenna.beams, 65.0, 30.0).astype(np.float32))
