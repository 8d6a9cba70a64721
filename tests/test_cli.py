"""The command line: what it says, what it leaves behind, its exit codes (0 done, 2 bad input, 1 fault, 130 stopped)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_minimal_studies import break_optional_layers, ground, poles, rows, stations, study, villages
from typer.testing import CliRunner, Result

import siteplan.study
from siteplan.cli import app
from siteplan.errors import ExportError, SiteplanError
from siteplan.export._plan import FILES
from siteplan.schema import layer_zh

ROOT = Path(__file__).resolve().parents[1]
WIDE = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
HEAVY = ("geopandas", "pandas", "shapely", "pyproj", "rasterio", "numba", "folium", "sklearn", "scipy", "highspy",
         "exactextract", "pandera", "odc.geo", "matplotlib")


def call(*words: str | Path) -> Result:
    """The command inside this process."""
    return CliRunner().invoke(app, [str(word) for word in words], env=WIDE)


def shell(*words: str | Path, start: tuple[str, ...] = ("-m", "siteplan"), cwd: Path = ROOT,
          **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command as its own process; nothing of this process's encoding is handed on."""
    kept = {key: value for key, value in os.environ.items()
            if key not in ("PYTHONIOENCODING", "PYTHONUTF8", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONWARNINGS")}
    return subprocess.run([sys.executable, *start, *map(str, words)], capture_output=True, cwd=cwd, check=False,
                          env={**kept, **WIDE, "PYTHONPATH": str(ROOT), **environment})


def said(result: Result) -> str:
    return result.output + result.stderr


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
            for path in folder.rglob("*") if path.is_file()}


def is_told(result: Result, *words: str) -> None:
    """Bad input: exit code 2, every word, no trace."""
    text = said(result)
    assert result.exit_code == 2, text
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in text
    assert [word for word in words if word not in text] == []


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Study file of a toy town that works."""
    folder = tmp_path / "town"
    folder.mkdir()
    layers = {**ground(folder), **villages(folder), **stations(folder), **poles(folder)}
    return study(folder, layers, selection={"min_gain": 1.0, "max_yuan_per_gain": 1e9}).path


# what works


def test_run_writes_everything_and_says_where(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    result = call("run", town, "--out", out)
    assert result.exit_code == 0, said(result)
    assert [name for name, _ in FILES if not (out / name).is_file()] == []
    assert (out / "review_map.html").is_file()
    assert str(out) in result.output
    for words in ("面积覆盖率", "行政村达标", "宏站模型", "微站模型", "分运营商", "模型预测值", "投资", "数据问题清单"):
        assert words in result.output
    assert "inf" not in result.output
    assert "nan" not in result.output


def test_run_twice_into_the_same_folder_replaces(town: Path, tmp_path: Path) -> None:
    assert call("run", town, "--out", tmp_path / "result").exit_code == 0
    (tmp_path / "result" / "my notes.txt").write_text("keep", encoding="utf-8")
    assert call("run", town, "--out", tmp_path / "result").exit_code == 0
    assert (tmp_path / "result" / "my notes.txt").read_text(encoding="utf-8") == "keep"
    assert not [path for path in (tmp_path / "result").iterdir() if path.name.startswith(".")]


def test_check_shows_each_layer_and_writes_nothing(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    before = contents(town.parent)
    result = call("check", town)
    assert result.exit_code == 0, said(result)
    for layer, file in (("ground", "dem.tif"), ("villages", "villages.gpkg"), ("stations", "stations.csv"),
                        ("poles", "poles.csv")):
        assert re.search(rf"{layer}\W+{re.escape(file)}", result.output), result.output
    assert contents(town.parent) == before
    assert list(empty.iterdir()) == []


def test_check_counts_rows_and_limits_the_lines(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    rows(tmp_path / "poles.csv", *({"杆号": f"D{n}", "杆高": 8, "x": "", "y": ""} for n in range(15)),
         {"杆号": "D99", "杆高": 8, "x": 437_500, "y": 2_491_500})
    opened = study(tmp_path, layers)
    result = call("check", opened.path, "--lines", "3")
    assert result.exit_code == 0, said(result)
    assert re.search(r"poles.csv.*\b16\b.*\b1\b.*\b15\b", result.output), result.output
    assert result.output.count("拒收 路灯杆 poles") <= 3
    assert re.search(r"poles:另有 \d+ 行", result.output)


def test_check_goes_on_over_broken_optional_layers(tmp_path: Path) -> None:
    broken = break_optional_layers(tmp_path)
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), **broken})
    result = call("check", opened.path)
    assert result.exit_code == 2, said(result)
    assert "Traceback" not in said(result)
    assert [layer for layer in broken if f"拒收 {layer_zh(layer)}" not in result.output] == []


@pytest.mark.parametrize("verb", ["demo", "check", "run"])
def test_verbs_have_help(verb: str) -> None:
    assert re.search(rf"^\W*{verb}\b", call("--help").output, re.MULTILINE)
    assert call(verb, "--help").exit_code == 0
    assert "--debug" in call(verb, "--help").output


def test_no_word_at_all_shows_the_help() -> None:
    result = call()
    assert result.exit_code in (0, 2)
    assert "run" in said(result)


def test_demo_takes_the_sample_city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder; it is the run of data/xikou/study.toml."""
    asked: list[Path] = []

    def stop(opened: Any, *_: Any) -> None:
        asked.append(opened.path.resolve())
        raise SiteplanError("到此为止")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(siteplan.study, "run", stop)
    is_told(call("demo", "--out", tmp_path / "out"), "到此为止")
    assert asked == [ROOT / "data" / "xikou" / "study.toml"]
    assert not (tmp_path / "out").exists()


def test_demo_without_its_city_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siteplan.cli._studies.SAMPLE", Path("nowhere", "study.toml"))
    is_told(call("demo", "--out", tmp_path / "out"), "nowhere/study.toml")


# bad input: every problem, exit code 2


@pytest.mark.parametrize("verb", ["run", "check"])
def test_missing_study_file(tmp_path: Path, verb: str) -> None:
    out = ["--out", str(tmp_path / "out")] if verb == "run" else []
    is_told(call(verb, tmp_path / "没有.toml", *out), "没有.toml", "打不开研究文件", "检查路径")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("content", "words"), [
    (b'[study]\nname = "a"\nname = "b"\n', ["TOML", "第3行"]),
    (b"[study\n", ["TOML"]),
    (b'[study]\nname = "\xd6\xd0"\n', ["UTF-8"]),
    (b"\x00\x01\x02\xff" * 40, ["study.toml"]),
    (b"", ["study", "ground 或 heights", "villages 或 zones"]),
    (b"study = 3\nlayers = 4\n", ["study", "layers"]),
    (b'[study]\nname = "a"\n[layers]\nground = "dem.tif"\nvillages = 3\n', ["layers.ground", "layers.villages"]),
    (b'[study]\nname = "a"\n[layers.ground]\npath = "d.tif"\n[layers.zones]\npath = []\n', ["layers.zones.path"]),
])
def test_study_files_that_cannot_be_used(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "study.toml").write_bytes(content)
    is_told(call("check", tmp_path / "study.toml"), *words)


def test_every_problem_of_a_study_file_is_listed(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        '[study]\nnam = "a"\nresolution_m = -1\n[layers.bulidings]\npath = "b.shp"\n[layers.poles]\npath = "p.csv"\n'
        'encodng = "GBK"\n[gaps]\nvillage_rule = "area_share_96"\n[selection]\nmax_sites = "many"\n', encoding="utf-8")
    is_told(call("check", tmp_path / "study.toml"), "study.nam", "是否应为 name", "study.name", "study.resolution_m",
            "layers.bulidings", "是否应为 buildings", "layers.poles.encodng", "是否应为 encoding", "ground 或 heights",
            "villages 或 zones", "selection.max_sites", "area_share_96")


@pytest.mark.parametrize("verb", ["run", "check"])
def test_every_problem_of_the_layers_is_listed(tmp_path: Path, verb: str) -> None:
    (tmp_path / "dem.tif").write_bytes(os.urandom(3000))
    (tmp_path / "zones.shp").write_bytes(b"\x00\x00\x27\x0a" + b"\xff" * 200)
    rows(tmp_path / "poles.csv", {"杆号": "D1", "杆高": 8})
    layers = {"ground": "dem.tif", "villages": "missing.shp", "zones": "zones.shp", "poles": "poles.csv"}
    opened = study(tmp_path, layers)
    out = ["--out", str(tmp_path / "out")] if verb == "run" else []
    is_told(call(verb, opened.path, *out), "dem.tif", "missing.shp", "zones.shp", "poles.csv", "文件不存在", "没有坐标列")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "content"), [
    ("villages.gpkg", b""), ("villages.shp", b""), ("villages.geojson", b"{}"), ("villages.csv", b""),
    ("villages.xlsx", b"PK"), ("villages.dwg", b"AC1027"), ("villages", b"x"), ("villages.geojson", b"\xff\xfe\x00"),
    ("villages.csv", bytes(range(256)))])
def test_garbage_in_a_required_layer(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    opened = study(tmp_path, {**ground(tmp_path), "villages": name})
    is_told(call("check", opened.path), name)


def test_a_folder_in_place_of_a_layer(tmp_path: Path) -> None:
    (tmp_path / "villages.shp").mkdir()
    opened = study(tmp_path, {**ground(tmp_path), "villages": "villages.shp"})
    is_told(call("check", opened.path), "villages.shp")


def test_output_folder_that_is_a_file(town: Path, tmp_path: Path) -> None:
    (tmp_path / "result").write_text("mine", encoding="utf-8")
    is_told(call("run", town, "--out", tmp_path / "result"), "成果目录", "result")
    assert (tmp_path / "result").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("words", [["run"], ["run", "study.toml"], ["plan"], ["check", "a", "b"], ["run", "--fast"]])
def test_wrong_words(words: list[str]) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert "Traceback" not in said(result)


# stopped, and faults of the program


def replace_run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(siteplan.study, "run", fail)


def test_interrupted(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_run(monkeypatch, KeyboardInterrupt())
    result = call("run", town, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "已中断" in said(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), KeyError("站号"), MemoryError(),
                                   RuntimeError("[bold]不是标记[/bold]")], ids=lambda error: type(error).__name__)
def test_a_fault_of_the_program_is_one_sentence(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                error: Exception) -> None:
    replace_run(monkeypatch, error)
    result = call("run", town, "--out", tmp_path / "out")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert type(error).__name__ in lines[0]
    assert str(error) in lines[0]
    assert "--debug" in lines[0]
    assert "Traceback" not in said(result)


def test_debug_shows_the_fault_itself(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ZeroDivisionError("division by zero")
    replace_run(monkeypatch, error)
    result = call("run", town, "--out", tmp_path / "out", "--debug")
    assert result.exit_code == 1
    assert result.exception is error


def test_an_error_while_writing_is_bad_input(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_run(monkeypatch, ExportError("磁盘已满"))
    is_told(call("run", town, "--out", tmp_path / "out"), "磁盘已满")


# as a process of its own


def test_module_equals_command() -> None:
    """Same help and exit codes; the installed script is taken where there is one."""
    script = shutil.which("siteplan", path=str(Path(sys.executable).parent))
    code = "import sys; sys.argv[0] = 'siteplan'; from siteplan.cli import main; main()"
    entry = (script,) if script else ("-c", code)
    for words in (["--help"], ["run"]):
        module, command = shell(*words), shell(*words, start=entry)
        assert module.returncode == command.returncode
        assert module.returncode == (0 if "--help" in words else 2)
        for ours, theirs in ((module.stdout, command.stdout), (module.stderr, command.stderr)):
            assert ours.replace(b"python -m siteplan", b"siteplan") == theirs


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_light_words_load_no_heavy_library(words: list[str]) -> None:
    """Help within a blink: nothing that computes or draws is imported for it."""
    code = ("import sys\nfrom siteplan.cli import main\nsys.argv = ['siteplan', *sys.argv[1:]]\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])")
    done = shell(*words, start=("-c", code), PYTHONUTF8="1")
    assert done.stdout.decode("utf-8").splitlines()[-1].split() == ["LOADED"], done.stderr.decode("utf-8", "replace")


ENCODINGS = [{"PYTHONIOENCODING": "gbk"},
             {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
SEVERAL = """
import sys
from siteplan.cli import main
for words in sys.argv[1:]:
    sys.argv = ["siteplan", *words.split("|")]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stdout.buffer.write(f"EXIT {end.code}\\n".encode())
        sys.stdout.flush()
"""


@pytest.mark.parametrize("environment", ENCODINGS, ids=lambda entries: next(iter(entries.values())))
def test_terminals_that_know_no_chinese(tmp_path: Path, environment: dict[str, str]) -> None:
    """Unknown characters become question marks; nothing stops, and the exit codes stay right."""
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    rows(tmp_path / "poles.csv", {"杆号": "𠮷-1", "杆高": "高", "x": 437_500, "y": 2_491_500})
    opened = study(tmp_path, layers)
    words = ("--help", f"check|{opened.path}", f"check|{tmp_path / 'none.toml'}")
    done = shell(*words, start=("-c", SEVERAL), **environment)
    assert done.returncode == 0, done.stderr
    assert re.findall(rb"EXIT (\d+)", done.stdout) == [b"0", b"0", b"2"], done.stderr
    assert b"dem.tif" in done.stdout
    assert b"none.toml" in done.stderr
    assert b"Traceback" not in done.stderr
    if environment.get("PYTHONIOENCODING") == "gbk":
        assert "打不开研究文件" in done.stderr.decode("gbk")


@pytest.fixture
def awkward(tmp_path: Path) -> Callable[[str], Path]:
    """A study in a folder of that name."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        return study(folder, {**ground(folder), **villages(folder), **stations(folder)}).path

    return make


@pytest.mark.parametrize("name", ["with blanks a&b;c'd", "[red]x[bold]"])
def test_awkward_folder_names(awkward: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = awkward(name)
    monkeypatch.chdir(file.parent)
    result = call("run", file.name, "--out", f"成果 {name}")
    assert result.exit_code == 0, said(result)
    assert (file.parent / f"成果 {name}" / "review_map.html").is_file()
    assert f"成果 {name}" in result.output


def test_a_process_among_chinese_folders(awkward: Callable[[str], Path]) -> None:
    """The real command in a folder of Chinese name: no warning, nothing on the error stream."""
    file = awkward("溪口市 (2026) 规划")
    done = shell("run", file.name, "--out", "成果 一", cwd=file.parent, PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert done.stderr == b""
    assert (file.parent / "成果 一" / "review_map.html").is_file()
    assert "成果 一" in done.stdout.decode("utf-8")
