"""The default of tables with words: levels predicted from all other columns, and as loud as their share."""

import numpy as np
import pandas
import pytest
from scipy.stats import spearmanr

from robustae import RobustAutoencoder, load

FUELS = np.array(["diesel", "electric", "gas", "hybrid"])


def cars(n, seed, holes=0.0):
    """Numbers and words of two hidden sizes, and a word that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    size, drive = rng.normal(size=(2, n))
    noise = lambda: 0.3 * rng.normal(size=n)  # noqa: E731
    frame = pandas.DataFrame(
        {
            "weight": 1400 + 300 * (size + noise()),
            "length": 4.3 + 0.4 * (size + noise()),
            "range": 600 - 150 * (drive + noise()),
            "price": 30 + 9 * (size + drive + noise()),
            "fuel": FUELS[np.digitize(drive + noise(), [-0.4, 0.8, 1.7])],
            "class": np.array(["s", "m", "l"])[np.digitize(size + noise(), [-0.6, 0.6])],
            "colour": rng.choice(["black", "white", "red", "green"], n, p=[0.5, 0.3, 0.18, 0.02]),
        }
    )
    return frame.mask(rng.random(frame.shape) < holes) if holes else frame


def fitted(X, **params):
    return RobustAutoencoder(random_state=0, **params).fit(X)


def share_called(model, X):
    return np.mean(model.predict(X) == -1)


@pytest.mark.parametrize(("holes", "most"), [(0.0, 0.02), (0.15, 0.035)])
def test_few_clean_unseen_rows_are_called(holes, most):
    found = [share_called(fitted(cars(900, k, holes)), cars(3000, 50 + k, holes)) for k in range(3)]
    assert 0.002 < np.mean(found) < most


def test_a_level_that_contradicts_all_other_columns_is_named_with_the_one_expected():
    X = cars(1500, 7)
    small = X[(X["weight"] < 1150) & (X["length"] < 4.0) & (X["class"] == "s")].index[:5]
    X.loc[small, "class"] = "l"
    model = fitted(X)
    assert model.predictor_name_ == "shallow"
    assert np.mean(model.predict(X)[small] == -1) > 0.5
    account = model.explain(X)
    own = account[account["row"].isin(small) & (account["column"] == "class")]
    assert len(own) >= 4 and set(own["expected"]) <= {"s", "m"} and set(own["observed"]) == {"l"}
    assert np.mean(model.flags(X)["class"].drop(small)) < 0.01


def test_rare_levels_that_tell_nothing_are_no_outliers():
    X = cars(2000, 8)
    model, new = fitted(X), cars(4000, 9)
    assert share_called(model, new[new.colour == "green"]) < 0.2
    assert not model.flags(new)["colour"].any()


@pytest.mark.parametrize("truth", [0.1, 0.45])
def test_two_values_are_judged_alike_as_numbers_truths_and_words(truth):
    rng = np.random.default_rng(10)
    numbers = pandas.DataFrame(rng.normal(size=(1200, 4)), columns=list("abcd"))
    one = rng.random(1200) < truth
    forms = {
        "numbers": one.astype(int),
        "other numbers": np.where(one, 12.5, 3.0),
        "truths": one,
        "words": np.where(one, "yes", "no"),
        "letters": np.where(one, "m", "f"),
    }
    models = {name: fitted(numbers.assign(e=column)) for name, column in forms.items()}
    tables = {name: numbers.assign(e=column) for name, column in forms.items()}
    scores = {name: models[name].score_samples(tables[name]) for name in forms}
    for name in ("other numbers", "truths", "words"):
        np.testing.assert_allclose(scores[name], scores["numbers"], rtol=1e-9, err_msg=name)
    assert spearmanr(scores["letters"], scores["numbers"])[0] > 0.9
    for name, model in models.items():
        ones = tables[name][one]
        assert share_called(model, ones) < 0.06, name
        assert not np.asarray(model.flags(ones)["e"]).any(), name


@pytest.mark.parametrize("beside", [[0, 1], [False, True], ["yes", "no"], ["north", "south", "east"]])
def test_a_column_that_tells_nothing_leaves_relations_standing(beside):
    rng = np.random.default_rng(11)
    a = rng.normal(size=600)
    X = pandas.DataFrame({"a": a, "b": a + 0.05 * rng.normal(size=600), "c": rng.normal(size=600)})
    X["other"] = rng.choice(beside, 600)
    X.loc[5, ["a", "b"]] = 1.0, 0.5
    model = fitted(X)
    assert model.predict(X)[5] == -1
    assert np.abs(np.asarray(model.cell_scores(X))[5, :2]).max() > 6


def test_a_level_never_met_is_named_and_excuses_nothing_else():
    X = cars(1200, 12)
    model, new = fitted(X), cars(30, 13)
    before = np.asarray(model.flags(new))
    new.loc[:9, "fuel"] = "steam"
    flags = model.flags(new)
    assert flags["fuel"][:10].all() and not flags["fuel"][10:].any()
    others = [j for j, name in enumerate(new.columns) if name != "fuel"]
    assert np.mean(np.asarray(flags)[:10, others] != before[:10, others]) < 0.05


def test_words_alone_are_predicted_from_words():
    rng = np.random.default_rng(14)
    region = rng.integers(4, size=1500)
    towns = np.array([["Ulm", "Stuttgart"], ["Bonn", "Essen"], ["Jena", "Gera"], ["Kiel", "Plön"]])
    X = pandas.DataFrame(
        {
            "region": np.array(["BW", "NW", "TH", "SH"])[region],
            "town": towns[region, (rng.random(1500) < 0.3).astype(int)],
            "plan": rng.choice(["basic", "pro"], 1500, p=[0.8, 0.2]),
        }
    )
    odd = np.arange(0, 1500, 150)
    X.loc[odd, "town"] = [towns[(k + 1) % 4, 0] for k in region[odd]]
    model = fitted(X)
    assert np.all(model.predict(X)[odd] == -1)
    assert share_called(model, X.drop(index=odd)) < 0.02


def test_saved_and_weighted_models_agree(tmp_path):
    X = cars(300, 15, holes=0.05).dropna(how="all").reset_index(drop=True)
    weight = np.random.default_rng(16).integers(1, 4, len(X))
    one = RobustAutoencoder().fit(X, sample_weight=weight)
    two = fitted(X.loc[np.repeat(X.index, weight)].reset_index(drop=True))
    new = cars(60, 17)
    np.testing.assert_allclose(one.score_samples(new), two.score_samples(new), rtol=1e-7)
    one.save(tmp_path / "m.rae")
    again = load(tmp_path / "m.rae")
    np.testing.assert_array_equal(again.score_samples(X), one.score_samples(X))
    np.testing.assert_array_equal(again.flags(new), one.flags(new))
