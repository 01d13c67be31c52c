"""The report of a table: facts that agree with the model and the table as written, and a page that works."""

import csv
import io
import json
import re
import time
import warnings

import numpy as np
import pytest
from chromium import PROGRAM, Chromium

from robustae.estimators.facts import facts_of
from robustae.report import write_report
from robustae.report.packing import unpack
from robustae.report.page import html_of

pytest.importorskip("torch")
pd = pytest.importorskip("pandas")

N = 240
HOSTILE = '</script><img src=x onerror="window.broken=1">'


def people():
    """Sizes and weights that go together, a level seen once, dates, keys, and one wild size."""
    rng = np.random.default_rng(3)
    size = rng.normal(170, 10, N).round(1)
    frame = pd.DataFrame(
        {
            "key": [f"p{k:03d}" for k in rng.permutation(N)],
            "size": size,
            "weight": (size / 2 + rng.normal(0, 1, N)).round(),
            "arm": (0.45 * size + rng.normal(0, 1, N)).round(1),
            "smoker": rng.choice(["yes", "no"], N, p=[0.3, 0.7]),
            "town": rng.choice(["Ulm", "Bonn, old", "Kiel"], N),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, N), unit="D"),
            "unit": "cm",
        }
    )
    frame.loc[7, "size"] = 1700.0
    frame.loc[7, "town"] = HOSTILE
    frame.loc[[2, 3, 50], "weight"] = np.nan
    return frame


def fitted(X, **settings):
    from robustae import RobustAutoencoder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RobustAutoencoder(random_state=0, **settings).fit(X)


@pytest.fixture(scope="module")
def mixed():
    X = people()
    return fitted(X), X


@pytest.fixture(scope="module")
def facts(mixed):
    return json.loads(json.dumps(facts_of(*mixed, title="people.csv"), allow_nan=False))


@pytest.fixture(scope="module")
def numbers():
    """A table of numbers whose rows 0..19 have one cell far off each, and missing cells."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(900, 6))
    X[np.arange(20), np.arange(20) % 6] += np.where(np.arange(20) % 2, 15, -15)
    X[rng.random(X.shape) < 0.03] = np.nan
    return fitted(X, predictor="linear", hidden=2), X


def in_map(facts, order):
    cells = facts["cells"]
    return unpack(cells[order]).reshape(cells["rows"], cells["columns"], 3)


def exported(facts):
    text = facts["export"]["header"] + "".join(unpack(facts["export"]["lines"]))
    return list(csv.DictReader(io.StringIO(text)))


# What was read ----------------------------------------------------------------------------------


def test_kinds_and_what_is_left_out_are_told_with_reasons(mixed, facts):
    model, X = mixed
    assert facts["read"]["rows"] == N and facts["read"]["columns"] == 8
    assert facts["read"]["missing"] == 3
    kinds = facts["sources"]["kinds"]
    assert kinds["number"] == 3 and kinds["date"] == 1 and sum(kinds.values()) == 6
    assert set(facts["sources"]["left_out"]) == {"key", "unit"} and all(facts["sources"]["left_out"].values())


def test_what_a_reader_left_out_is_told_too(numbers):
    from robustae.data import Table

    model, X = numbers
    keys = np.arange(5000.0, 5900.0)
    source = Table(X, list("abcdef"), dropped={"when": "text"}, slips={"b": "'n.a.'"}, spare={"key": keys})
    facts = facts_of(model, X, source=source)
    assert facts["sources"]["left_out"] == {"when": "text"} and facts["sources"]["slips"] == {"b": "'n.a.'"}
    assert facts["labels"] == [str(5000 + top["row"]) for top in facts["top"]]
    page = html_of([facts])
    assert "when</b> text" in page and "b</b> &#39;n.a.&#39;" in page


def test_rows_are_called_by_the_column_that_identifies_them(mixed, facts):
    assert facts["labels"] == [mixed[1]["key"][top["row"]] for top in facts["top"]]


def test_rows_are_found_in_their_file(numbers):
    from robustae.data import Table

    model, X = numbers
    lines = np.arange(len(X)) + 7
    facts = facts_of(model, X, source=Table(X, list("abcdef"), lines=lines))
    assert facts["lines"] == [lines[top["row"]] for top in facts["top"]]
    assert "line </span>" in html_of([facts]) and facts_of(model, X)["lines"] is None


def test_a_row_is_called_for_its_cells_or_for_their_combination():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(400, 12))
    X[9] = 2.0 * np.sign(X[9])  # far off as a whole, no cell by itself
    facts = facts_of(fitted(X, predictor="constant"), X)
    at = [top["row"] for top in facts["top"]].index(9)
    assert facts["top"][at]["anomalous"] and not facts["causes"][at]
    heaviest = facts["wholes"][at]
    shares = [cell["share"] for cell in heaviest]
    assert len(heaviest) == 3 and shares == sorted(shares, reverse=True)
    assert [cell["observed"] for cell in heaviest] == [X[9, int(cell["column"])] for cell in heaviest]
    assert not any(whole and cells for whole, cells in zip(facts["wholes"], facts["causes"], strict=True))
    assert "the combination is unusual" in html_of([facts])


def test_the_label_says_how_well_rows_are_called(numbers):
    from robustae.data import Table

    model, X = numbers
    labels = (np.arange(len(X)) < 20).astype(int)
    called = model.predict(X) < 0
    facts = facts_of(model, X, source=Table(X, list("abcdef"), labels))
    assert facts["truth"]["found"] == called[:20].sum()
    assert facts["truth"]["false_alarms"] == pytest.approx(called[20:].mean())
    assert "false alarms" in html_of([facts]) and facts_of(model, X)["truth"] is None


def test_columns_say_what_they_were_taken_for(mixed, facts):
    told = {column["name"]: column["taken_for"] for column in facts["columns"]}
    assert told == {c.name: c.taken_for for c in mixed[0].columns_ if not c.why}


# Cells ------------------------------------------------------------------------------------------


def test_worst_rows_show_their_cells_as_written(mixed, facts):
    _, X = mixed
    cells = facts["map"]
    assert not {"key", "unit"} & set(cells["columns"])
    for i, row in enumerate(cells["rows"]):
        for j, name in enumerate(cells["columns"]):
            value = X.loc[row, name]
            written = None if value != value else str(value.date()) if name == "since" else value
            assert cells["observed"][i][j] == written


def test_wild_cell_is_the_first_cause_of_the_first_row(facts):
    cause = facts["causes"][0][0]
    assert facts["top"][0]["row"] == 7 and cause["column"] == "size" and cause["observed"] == 1700.0
    assert 100 < cause["expected"] < 250


def test_columns_count_what_the_model_flags_and_misses(mixed, facts):
    model, X = mixed
    flags = np.asarray(model.flags(X))
    for column in facts["columns"]:
        j = list(X.columns).index(column["name"])
        missing = X[column["name"]].isna()
        assert column["missing"] == pytest.approx(missing.mean())
        assert column["flagged"] == pytest.approx(flags[:, j].sum() / (~missing).sum())
    assert facts["flagged"]["count"] == flags.sum() > 0


def test_residual_scales_are_in_units_and_as_shares_of_the_spread(numbers):
    model, X = numbers
    off = np.abs(X - model.reconstruct(X))
    for column in facts_of(model, X)["columns"]:
        j = int(column["name"])
        assert column["residual_scale"] == pytest.approx(1.4826 * np.nanmedian(off[:, j]))
        own = 1.4826 * np.nanmedian(np.abs(X[:, j] - np.nanmedian(X[:, j])))
        assert column["unexplained"] == pytest.approx(column["residual_scale"] / own)


def test_category_tells_how_often_it_is_not_the_likeliest_level(mixed, facts):
    model, X = mixed
    expected = model.reconstruct(X)["smoker"]
    column = next(column for column in facts["columns"] if column["name"] == "smoker")
    assert column["differs"] == pytest.approx((X["smoker"].to_numpy() != expected.to_numpy()).mean())


# The cell map -----------------------------------------------------------------------------------


def test_map_of_a_short_table_has_each_cell(mixed, facts):
    model, X = mixed
    used = [j for j, column in enumerate(model.columns_) if not column.why]
    flags, scores = (np.asarray(found)[:, used] for found in (model.flags(X), model.cell_scores(X)))
    drawn = in_map(facts, "file")
    assert facts["cells"]["names"] == [X.columns[j] for j in used]
    assert np.array_equal(drawn[..., 0] > 0, flags & (scores > 0))
    assert np.array_equal(drawn[..., 1] > 0, flags & (scores < 0))
    assert np.array_equal(drawn[..., 2] > 0, X.iloc[:, used].isna().to_numpy())
    by_score = np.argsort(model.score_samples(X), kind="stable")
    assert np.array_equal(in_map(facts, "score"), drawn[by_score])


def test_map_of_a_long_table_averages_its_rows(numbers):
    model, X = numbers
    facts = facts_of(model, X)
    step = facts["cells"]["row_step"]
    assert step > 1 and facts["cells"]["rows"] == -(-len(X) // step)
    order = np.argsort(model.score_samples(X), kind="stable")
    for name, rows in (("file", np.arange(len(X))), ("score", order)):
        missing = [np.isnan(X[rows[k : k + step]]).mean(0) for k in range(0, len(X), step)]
        assert np.allclose(in_map(facts, name)[..., 2] / 255, missing, atol=1 / 255)


@pytest.mark.parametrize("shape", [(60, 2000), (30_000, 8)])
def test_large_tables_make_small_pages(rng, shape):
    X = rng.normal(size=shape)
    facts = facts_of(fitted(X, predictor="constant", energy="log"), X)
    cells = facts["cells"]
    assert cells["rows"] <= 400 and cells["columns"] <= 200
    assert in_map(facts, "file").shape == (cells["rows"], cells["columns"], 3)
    assert len(html_of([facts])) < 5e6


# N ----------------------------------------------------------------------------------------------


def by_hand(facts):
    """N by source column at the fitted lam, from what the page is given."""
    slider = facts["slider"]
    R = unpack(slider["residuals"]).astype(float)
    weights = np.array(slider["weights"] or 1.0)
    lam = np.inf if slider["lam"] is None else slider["lam"]
    return np.sign(R) * np.maximum(np.abs(R) - weights * lam / 2, 0)


def test_page_has_what_makes_the_models_own_outliers_of_mixed_columns(mixed, facts):
    model, X = mixed
    rows = [top["row"] for top in facts["top"]]
    N = model.outliers(X.iloc[rows])
    used = [j for j, column in enumerate(model.columns_) if not column.why]
    assert np.array_equal(by_hand(facts)[:, used] != 0, N.iloc[:, used].to_numpy(float) != 0)


def test_rows_set_aside_are_the_models_own(numbers):
    from robustae.penalties import L1, Trimmed

    X = numbers[1]
    model = fitted(X, predictor="linear", hidden=2, penalty=Trimmed(0.01, L1()), lam=0.3)
    facts = facts_of(model, X)
    trim, rows = facts["trim"], [top["row"] for top in facts["top"]]
    residual, N = np.nan_to_num((X - model.reconstruct(X))[rows]), model.outliers(X)[rows]
    whole = np.isclose(N, residual, rtol=1e-9).all(1)
    assert np.array_equal(np.array(trim["energies"]) > trim["cutoff"], whole)
    assert 0 < whole.sum() < len(rows)


@pytest.mark.parametrize("penalty", ["rows", "trimmed", "none", "l1"])
def test_every_penalty_has_a_page(numbers, penalty):
    X = numbers[1][:100]
    facts = facts_of(fitted(X, predictor="linear", hidden=1, penalty=penalty), X)
    assert (facts["trim"] is not None) == (penalty == "trimmed")
    assert ('class="trim"' in html_of([facts])) == (penalty == "trimmed")


# Rows to download -------------------------------------------------------------------------------


def test_rows_to_download_are_written_as_they_came(mixed, facts):
    model, X = mixed
    rows = exported(facts)
    energy = -model.score_samples(X)
    assert [int(row["row"]) for row in rows[:20]] == list(np.argsort(-energy, kind="stable")[:20])
    flags = np.asarray(model.flags(X))
    for row in rows:
        k = int(row["row"])
        assert float(row["anomaly_score"]) == energy[k] and row["flagged"] == str(energy[k] > -model.offset_)
        assert row["town"] == X["town"][k] and row["key"] == X["key"][k]
        assert float(row["size"]) == X["size"][k]
        assert row["since"] == str(X["since"][k].date())
        assert row["cells"] == "; ".join(X.columns[flags[k]])


def test_frames_of_polars_have_the_same_report(mixed, facts):
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({name: people()[name].to_list() for name in people().columns})
    of_polars = facts_of(fitted(X), X)
    assert [top["row"] for top in of_polars["top"]] == [top["row"] for top in facts["top"]]
    assert of_polars["causes"][0][0]["observed"] == 1700.0
    assert unpack(of_polars["export"]["lines"])[0].split(",")[2:5] == [
        "True",
        "size",
        "p" + of_polars["labels"][0][1:],
    ]


# The page ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("needs Chromium to open the page")
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


def opened(browser, tmp_path, facts, width=1000):
    path = tmp_path / "page.html"
    write_report(path, [facts])
    browser.open(path, width=width)
    assert browser.value("robustae.ready.then(() => 1)") == 1
    return path


@pytest.fixture
def page(browser, tmp_path, facts):
    opened(browser, tmp_path, facts)
    yield browser
    assert browser.trouble == []
    assert browser.value("window.broken") is None


def flagged(page):
    return int(page.value("document.querySelector('.cut-value').dataset.flagged"))


def counts(page):
    """What the page says of anomalous rows, everywhere it does."""
    return page.value("""(() => {
      const chips = [...document.querySelectorAll(".top .chip")], save = document.querySelector(".save");
      const rows = style => [...document.querySelectorAll(`.scores .fill-${style} title`)]
        .reduce((sum, title) => sum + parseInt(title.textContent), 0);
      return {tile: document.querySelector('.tile[data-name="anomalies"] b').textContent,
        chips: chips.filter(c => c.textContent === "anomalous").length, all: chips.length,
        orange: rows("outlier"), blue: rows("normal"), save: save.textContent, off: save.disabled}; })()""")


@pytest.mark.parametrize("place", [None, 0, 300, 1000])
def test_threshold_slider_moves_everything_with_it(page, facts, place):
    if place is not None:
        page.choose(".cut", place)
    k, said = flagged(page), counts(page)
    assert place is not None or k == facts["scores"]["anomalies"]
    assert said["tile"] == str(k) and said["chips"] == min(k, said["all"])
    assert (said["orange"], said["blue"]) == (k, N - k)
    assert re.match(rf"Download {k} row", said["save"]) and said["off"] == (k == 0)
    if place == 1000:
        assert k >= N // 2
    page.click(".cut-fitted")
    assert flagged(page) == facts["scores"]["anomalies"]


def test_threshold_lies_between_the_rows_it_parts(page, mixed):
    energy = np.sort(-mixed[0].score_samples(mixed[1]))[::-1]
    page.choose(".cut", 500)
    k, cut = flagged(page), float(page.value("document.querySelector('.cut-value').dataset.threshold"))
    assert energy[k - 1] > cut > energy[k]


def test_equal_rows_fall_on_the_same_side(browser, tmp_path):
    rng = np.random.default_rng(5)
    X = np.repeat(rng.normal(size=(40, 3)), 5, axis=0)
    opened(browser, tmp_path, facts_of(fitted(X, predictor="constant"), X))
    for place in range(100, 1000, 90):
        browser.choose(".cut", place)
        assert flagged(browser) % 5 == 0


def test_download_holds_the_rows_that_are_marked(page, facts, tmp_path):
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.choose(".cut", 400)
    k = flagged(page)
    page.click(".save")
    path, end = tmp_path / "people_anomalies.csv", time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == exported(facts)[:k]


UNFOLD = "document.querySelector('.parted').open = true"  # what is about lambda and N


def test_what_is_about_lambda_is_folded_away_at_first(page):
    dots = "[...document.querySelectorAll('.outlying')].map(c => getComputedStyle(c, '::after').display)"
    page.value("document.querySelector('.parted').open = false")
    assert set(page.value(dots)) == {"none"}
    page.value(UNFOLD)
    assert "none" not in page.value(dots)


def test_lam_slider_marks_the_cells_with_outliers(page, facts):
    def dots():
        return page.value("document.querySelectorAll('.map .outlying').length")

    shown = by_hand(facts)[:, facts["map"]["index"]]
    page.value(UNFOLD)
    assert dots() == np.count_nonzero(shown)
    page.choose(".lam", 1000)
    assert dots() == 0
    page.click(".fitted")
    assert np.allclose(page.value("[...robustae.outliers[0]()]"), by_hand(facts).ravel(), atol=1e-6)


def test_trim_slider_takes_whole_rows(browser, tmp_path, numbers):
    from robustae.penalties import L1, Trimmed

    X = numbers[1]
    facts = facts_of(fitted(X, predictor="linear", hidden=2, penalty=Trimmed(0.01, L1()), lam=0.3), X)
    opened(browser, tmp_path, facts)
    browser.value(UNFOLD)
    R = unpack(facts["slider"]["residuals"])

    def whole():
        return np.isclose(np.reshape(browser.value("[...robustae.outliers[0]()]"), R.shape), R).all(1)

    assert np.array_equal(whole(), np.array(facts["trim"]["energies"]) > facts["trim"]["cutoff"])
    browser.choose(".trim", 0)
    assert not whole().any()
    browser.choose(".trim", 100)
    assert whole().all()
    browser.click(".trim-fitted")
    browser.choose(".lam", 1000)
    fitted_rows = np.array(facts["trim"]["energies"]) > facts["trim"]["cutoff"]
    assert np.array_equal(whole(), fitted_rows)


def pixels(page, facts):
    """Colours of the cell map, shape (rows, columns, 3)."""
    cells = facts["cells"]
    found = page.value(f"""[...document.querySelector(".cells canvas").getContext("2d")
        .getImageData(0, 0, {cells["columns"]}, {cells["rows"]}).data]""")
    return np.reshape(found, (cells["rows"], cells["columns"], 4))[..., :3]


def test_map_is_red_above_blue_below_white_where_missing(page, facts):
    for order in ("file", "score"):
        page.choose(".order select", order)
        drawn, (red, green, blue) = in_map(facts, order), np.moveaxis(pixels(page, facts), -1, 0)
        up, down, gone = np.moveaxis(drawn > 0, -1, 0)
        assert (red > blue)[up].all() and (green <= blue + 20)[up].all() and up.any()
        assert (blue > red)[down].all()
        assert (np.minimum(red, blue) == 255)[gone].all()
        calm = pixels(page, facts)[~(up | down | gone)]
        assert (calm == calm[0]).all() and calm[0][0] > 200 and calm[0][2] < 200


def test_pointing_at_the_map_tells_row_and_column(page, facts):
    box = page.value("""(() => { const map = document.querySelector(".cells canvas");
        map.scrollIntoView({block: "center"}); return map.getBoundingClientRect().toJSON(); })()""")
    j, row = facts["cells"]["names"].index("size"), 7
    x = box["x"] + box["width"] * (j + 0.5) / facts["cells"]["columns"]
    y = box["y"] + box["height"] * (row + 0.5) / facts["cells"]["rows"]
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    said = page.value("document.getElementById('tip').innerText")
    assert "size" in said and "row 7" in said and "above by 10 or more deviations" in said


def test_pointing_at_a_cell_tells_its_values(page, facts):
    page.click('.map td[data-i="0"]')
    said = page.value("document.getElementById('tip').innerText")
    assert facts["map"]["columns"][0] in said and facts["labels"][0] in said
    assert "observed" in said and "expected" in said


def test_values_from_the_data_cannot_become_markup(page, facts):
    assert HOSTILE in facts["map"]["observed"][0]
    assert page.value("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("width", [390, 1000])
def test_page_fits_its_window_and_turns_dark(browser, tmp_path, facts, width):
    opened(browser, tmp_path, facts, width)
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    light = pixels(browser, facts)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.until("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 60")
    browser.value("new Promise(requestAnimationFrame)")
    assert pixels(browser, facts).mean() < light.mean() - 60
    assert browser.trouble == []


# From a file ------------------------------------------------------------------------------------


def test_one_command_makes_the_page_of_a_file(tmp_path):
    from typer.testing import CliRunner

    from robustae.cli import app

    people().to_csv(tmp_path / "people.csv", index=False)
    out = tmp_path / "people.html"
    ran = CliRunner().invoke(app, ["report", str(tmp_path / "people.csv"), "--out", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    page = out.read_text(encoding="utf-8")
    assert json.loads(ran.stdout.strip().splitlines()[-1])["rows"] == N
    assert "people.csv" in page and "Left out" in page and "another text in every row" in page


@pytest.mark.parametrize("name", ["tabular/hypothyroid.csv", "cellwise/TopGear.csv"])
def test_real_files_have_a_page(data_home, browser, tmp_path, name):
    from robustae.cli import _reading as reading

    table = reading.read(data_home / name)
    facts = facts_of(fitted(table.values), table.values, source=table, worst=20)
    opened(browser, tmp_path, facts)
    assert browser.trouble == []
    assert browser.value("document.querySelectorAll('.map tbody tr').length") == 20
