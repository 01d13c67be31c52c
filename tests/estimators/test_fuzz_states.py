"""Whatever happened to the files that a fit in batches keeps: the next fit works, or says why it cannot."""

import random
import shutil
import warnings
from collections import Counter

import fuzzing
import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.datasets.synthetic import planted_rows
from robustae.fit import artifact

TRIALS = 15 * fuzzing.LONGER
X = planted_rows(n=300, d=6, random_state=0).X.astype(np.float32)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with the rows, a spill and the checkpoints of a fit."""
    folder = tmp_path_factory.mktemp("kept")
    np.save(folder / "rows.npy", X)
    fit(folder)
    return folder


def fit(folder, **more):
    """Fit with all that may be kept; scores must be finite."""
    model = RobustAutoencoder(predictor="linear", hidden=2, max_iter=2, random_state=0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit_source(
            str(folder / "rows.npy"), checkpoint=folder / "checkpoints", spill=folder / "spill", **more
        )
        assert np.isfinite(model.score_samples(X)).all()


def put_back(kept, whole):
    """All but the rows: a spill knows when these were written."""
    for name in ("checkpoints", "spill"):
        shutil.rmtree(kept / name, ignore_errors=True)
        shutil.copytree(whole / name, kept / name)


@pytest.fixture
def copy_of_kept(kept, tmp_path):
    """What is kept, to be put back afterwards."""
    shutil.copytree(kept, tmp_path / "whole")
    yield tmp_path / "whole"
    put_back(kept, tmp_path / "whole")


@pytest.mark.parametrize(
    "pattern", ["checkpoints/*.ckpt", "spill/spill/spill.json", "spill/spill/sketch.npz"]
)
def test_a_spoilt_file_is_done_without_or_refused(pattern, kept, copy_of_kept):
    rng, told = random.Random(pattern), Counter()
    for _ in range(TRIALS):
        path = rng.choice(sorted(kept.glob(pattern)))
        path.write_bytes(fuzzing.bytes_of(path.read_bytes(), rng))
        told[fuzzing.outcome(lambda: fit(kept, resume=True))] += 1
        put_back(kept, copy_of_kept)
    fuzzing.tally("spoilt checkpoints and spills", told)
    assert "fine" in told


def test_an_altered_checkpoint_is_gone_on_from_or_refused(kept, copy_of_kept):
    """Somebody wrote something else, and a checksum that agrees."""
    rng, told = random.Random(0), Counter()
    *_, latest = sorted(kept.glob("checkpoints/*.ckpt"))
    arrays, description = artifact.read(latest)
    for number in range(4 * TRIALS):
        parts = (fuzzing.arrays_of(arrays, rng), description)
        if number % 2:
            parts = (arrays, fuzzing.json_of(description, rng))
        for path in kept.glob("checkpoints/*.ckpt"):
            path.unlink()
        artifact.write(latest, *parts)
        told[fuzzing.outcome(lambda: fit(kept, resume=True))] += 1
        put_back(kept, copy_of_kept)
    fuzzing.tally("altered checkpoints", told)
    assert told["fine"] and len(told) > 5
