"""Files damaged after writing: they read back equal, or a difference is told; and other processes write the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from exchange_layers import plain_layer

from siteplan.errors import ExportError
from siteplan.export.exchange import bundle
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.registry import Format

each_format = pytest.mark.parametrize("form", bundle.FORMATS.values(), ids=bundle.FORMATS)
TRIALS = {"dxf": 60, "gdb": 100}
"""A drawing takes 20 ms to read, a File GDB is 40 files."""


@each_format
def test_flipped_bytes_are_a_difference_or_told(form: Format) -> None:
    """One byte in a random file at a random place, with set seeds; nothing but an ExportError comes of it."""
    layer, chance, told = plain_layer(), random.Random(7), 0
    with tempfile.TemporaryDirectory() as name:
        form.write([layer], Path(name))
        paths = sorted(path for path in Path(name).rglob("*") if path.is_file())
        for _ in range(TRIALS.get(form.id, 100)):
            path = chance.choice(paths)
            before = path.read_bytes()
            if not before:
                continue
            after, place = bytearray(before), chance.randrange(len(before))
            after[place] ^= chance.randrange(1, 256)
            path.write_bytes(bytes(after))
            try:
                told += bool(differences(layer, form.read(Path(name), layer), form.kept))
            except ExportError as error:
                told += bool(str(error))
            path.write_bytes(before)
        assert differences(layer, form.read(Path(name), layer), form.kept) == []
    assert told > 0


@each_format
def test_a_cut_file_is_told_or_a_difference(form: Format) -> None:
    layer = plain_layer()
    with tempfile.TemporaryDirectory() as name:
        form.write([layer], Path(name))
        for path in sorted(path for path in Path(name).rglob("*") if path.is_file()):
            before = path.read_bytes()
            for part in (0.0, 0.3, 0.9):
                path.write_bytes(before[:int(part * len(before))])
                with contextlib.suppress(ExportError):  # what is told; anything else fails
                    differences(layer, form.read(Path(name), layer), form.kept)
            path.write_bytes(before)


WRITE = """
import sys
from pathlib import Path
from exchange_layers import plain_layer
from siteplan.export.exchange import bundle
for form in bundle.FORMATS.values():
    folder = Path(sys.argv[1]) / form.id
    folder.mkdir()
    form.write([plain_layer()], folder)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Memory that a process never set (names of fields in a MapInfo table) would differ."""
    found = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        out.mkdir()
        paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
        subprocess.run([sys.executable, "-c", WRITE, str(out)], check=True, env=os.environ | {
            "PYTHONHASHSEED": seed, "PYTHONPATH": paths, "MALLOC_PERTURB_": str(17 * int(seed))})
        found.append({path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                      for path in out.rglob("*") if path.is_file()})
    assert {name.split("/")[0] for name in found[0]} == set(bundle.FORMATS)
    assert found[0] == found[1]
