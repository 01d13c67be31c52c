"""Spilled rows: what was read, in float32, whole or not at all, read again only if the source has changed."""

import gc
import json
import multiprocessing
import os
import shutil
import time

import numpy as np
import pytest

from robustae.data.streams import row_source
from robustae.fit.distributed.checkpoints import Checkpoints
from robustae.fit.spill import Spill, no_spill
from robustae.stats.sketches import QuantileSketch
from robustae.utils import temporaries
from robustae.utils.checks import InputError
from robustae.utils.files import replacing, replacing_folder

Q = np.linspace(0, 1, 21)


@pytest.fixture
def X(rng):
    X = rng.normal(size=(10_000, 3))
    X[:, 1:][rng.random((10_000, 2)) < 0.05] = np.nan
    return X


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of this test alone."""
    import tempfile

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Counted:
    """A source that counts how often it is read."""

    named, columns = True, ["a", "b", "c"]

    def __init__(self, X, fingerprint=None):
        self.X, self.n_rows, self.reads, self._fingerprint = X, len(X), 0, fingerprint

    def batches(self, rows=65_536, start=0):
        self.reads += 1
        return iter(np.array_split(self.X[start:], 7))

    def fingerprint(self):
        return self._fingerprint


@pytest.mark.parametrize("way", [Spill.of, no_spill])
def test_rows_are_those_of_the_source_in_float32(X, way):
    with way(Counted(X)) as spill:
        rows = spill.rows
        assert len(rows) == 10_000 and rows.shape == (10_000, 3) and rows.dtype == np.float32
        assert spill.columns == ["a", "b", "c"] and spill.named
        for a, b in ((0, 10), (10, 5000), (5000, 10_000), (9_990, 20_000), (3, 4), (7, 7), (0, 10_000)):
            part = rows[a:b]
            assert part.dtype == np.float32 and part.flags.c_contiguous
            np.testing.assert_array_equal(part, X[a:b].astype(np.float32))
        expected = QuantileSketch(3)
        for batch in Counted(X).batches():
            expected.add(batch.astype(np.float32))
        np.testing.assert_array_equal(spill.sketch.quantile(Q), expected.quantile(Q))
        np.testing.assert_array_equal(spill.sketch.missing, np.isnan(X).sum(0))


def test_rows_by_number_and_as_an_array(X, rng):
    with Spill.of(Counted(X)) as spill:
        at = rng.integers(0, len(X), 500)
        np.testing.assert_array_equal(spill.rows[at], X[at].astype(np.float32))
        np.testing.assert_array_equal(spill.rows[::-3], X[::-3].astype(np.float32))
        np.testing.assert_array_equal(np.asarray(spill.rows), X.astype(np.float32))
        spill.rows[0:2][:] = 7
        np.testing.assert_array_equal(spill.rows[0:2], X[:2].astype(np.float32))


def test_decoded_rows_are_read_on_from_several_places(X):
    source = Counted(X)
    rows = no_spill(source).rows
    source.reads = 0
    for step in range(0, 1000, 100):
        for shard in range(0, 10_000, 1250):
            at = slice(shard + step, shard + step + 100)
            np.testing.assert_array_equal(rows[at], X[at].astype(np.float32))
    assert source.reads == 8


def test_a_temporary_spill_is_gone_when_closed_forgotten_or_failed(X, temporary):
    spill = Spill.of(Counted(X))
    assert os.listdir(temporary)
    spill.close()
    assert not os.listdir(temporary)
    rows = Spill.of(Counted(X)).rows
    gc.collect()
    assert len(rows[:5]) == 5  # the rows outlive the spill that made them
    del rows
    gc.collect()
    assert not os.listdir(temporary)
    X[9_000, 1] = np.inf
    with pytest.raises(InputError, match="row 9000"):
        Spill.of(Counted(X))
    assert not os.listdir(temporary)


def test_a_whole_spill_of_the_same_data_is_used_again(X, tmp_path):
    source = Counted(X, {"files": [["x", 3, 17]], "columns": ["a"]})
    first = Spill.of(source, tmp_path / "s")
    again = Spill.of(source, tmp_path / "s")
    first.close()
    assert source.reads == 1
    np.testing.assert_array_equal(again.rows[:], X.astype(np.float32))
    np.testing.assert_array_equal(first.sketch.quantile(Q), again.sketch.quantile(Q))
    changed = Counted(X + 1, {"files": [["x", 3, 18]], "columns": ["a"]})
    np.testing.assert_array_equal(Spill.of(changed, tmp_path / "s").rows[:], (X + 1).astype(np.float32))
    assert changed.reads == 1
    unknown = Counted(X)
    Spill.of(unknown, tmp_path / "s"), Spill.of(unknown, tmp_path / "s")
    assert unknown.reads == 2


@pytest.mark.parametrize("name", ["rows.f32", "sketch.npz", "spill.json"])
def test_a_spill_that_is_not_whole_is_written_anew(X, tmp_path, name):
    source = Counted(X, {"files": []})
    folder = Spill.of(source, tmp_path / "s").folder
    file = folder / "spill" / name
    for damage in (b"", file.read_bytes()[:-1], None):
        source.reads = 0
        if damage is None:
            file.unlink()
        else:
            file.write_bytes(damage)
        np.testing.assert_array_equal(Spill.of(source, folder).rows[:], X.astype(np.float32))
        assert source.reads == 1


def test_a_failure_leaves_the_spill_before_and_nothing_half(X, tmp_path):
    source = Counted(X, {"files": []})
    place = tmp_path / "s"
    Spill.of(source, place)
    bad = X.copy()
    bad[9_999] = np.nan
    with pytest.raises(InputError, match="row 9999"):
        Spill.of(Counted(bad, {"files": [1]}), place)
    assert sorted(os.listdir(place)) == [".lock", "spill"]
    source.reads = 0
    Spill.of(source, place)
    assert source.reads == 0


@pytest.mark.parametrize("name", ["rows.f32", "sketch.npz"])
def test_a_flipped_bit_is_found_where_a_spill_is_used_again(X, tmp_path, name):
    source = Counted(X, {"files": []})
    folder = Spill.of(source, tmp_path / "s").folder
    file = folder / "spill" / name
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for place in (0, len(whole) - 1, *rng.integers(0, len(whole), 10).tolist()):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(spoilt))
        source.reads = 0
        np.testing.assert_array_equal(Spill.of(source, folder).rows[:], X.astype(np.float32))
        assert source.reads == 1
        assert file.read_bytes() == whole or name == "sketch.npz"


def left_half(folder, name, pid):
    left = folder / f".robustae-{name}-{temporaries._host()}-{pid}-01234567.tmp"
    left.mkdir()
    (left / "rows.f32").write_bytes(b"x" * 100)
    return left


def test_what_a_killed_process_left_is_cleared_away(X, tmp_path):
    left = left_half(tmp_path, "spill", 1)
    Spill.of(Counted(X), tmp_path)
    assert not left.exists()


def test_what_other_commands_are_writing_to_the_folder_stays(X, tmp_path):
    """A folder named for a spill may be one where results of others are on their way."""
    with replacing(tmp_path / "scores.csv") as file, replacing_folder(tmp_path / "parts", ["a"]) as parts:
        file.write(b"1")
        Spill.of(Counted(X), tmp_path)
        with Checkpoints(tmp_path).held(resume=True):
            pass
        (parts / "a").write_text("2")
    assert (tmp_path / "scores.csv").read_bytes() == b"1"
    assert (tmp_path / "parts" / "a").read_text() == "2"


class Slow(Counted):
    """A source that takes its time."""

    def batches(self, rows=65_536, start=0):
        for batch in super().batches(rows, start):
            time.sleep(0.03)
            yield batch


def _spill(X, folder, out):
    spill = Spill.of(Slow(X, {"files": []}), folder)
    stat = (folder / "spill" / "rows.f32").stat()
    out.put((float(np.nansum(spill.rows[:])), stat.st_ino))


def test_of_several_processes_one_writes_and_the_others_wait(X, tmp_path):
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    arguments = (X, tmp_path / "s", out)
    workers = [context.Process(target=_spill, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = {out.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(found) == 1


def test_beyond_float32_is_refused_with_the_column(X):
    X[9_000, 1] = -1e39
    for way in (Spill.of, no_spill):
        with pytest.raises(InputError, match=r"column 'b' holds -1e\+39"):
            way(Counted(X))


def test_columns_that_float32_does_not_resolve_are_told(X, recwarn):
    Spill.of(Counted(X)).close()
    assert not recwarn
    X[:, 2] = 1.7e9 + 600 * X[:, 2]
    with pytest.warns(UserWarning, match="column 'c' is kept in float32"):
        Spill.of(Counted(X)).close()


def test_no_room_no_permission_no_spill(X, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="holds no spill"):
        Spill.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        Spill.of(Counted(X), tmp_path / "file" / "s")
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="the spill needs 0.00012 GB"):
        Spill.of(Counted(X), tmp_path / "s")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_one_sentence(X, tmp_path, monkeypatch):
    import builtins

    plain = builtins.open
    monkeypatch.setattr(
        builtins,
        "open",
        lambda path, *args, **options: plain(
            "/dev/full" if str(path).endswith("rows.f32") else path, *args, **options
        ),
    )
    with pytest.raises(InputError, match="No space left"):
        Spill.of(Counted(X, {}), tmp_path / "s")
    assert sorted(os.listdir(tmp_path / "s")) == [".lock"]


def test_progress_is_told(X):
    told = []
    Spill.of(Counted(X), progress=lambda rows, total: told.append((rows, total))).close()
    assert len(told) == 7 and told[-1] == (10_000, 10_000)
    assert told == sorted(told)


def test_facts_are_json(X, tmp_path):
    np.save(tmp_path / "x.npy", X)
    spill = Spill.of(row_source(tmp_path / "x.npy"), tmp_path / "s")
    facts = json.loads((tmp_path / "s" / "spill" / "spill.json").read_text())
    assert facts["fingerprint"] == spill.fingerprint == row_source(tmp_path / "x.npy").fingerprint()
    assert facts["shape"] == [10_000, 3]
