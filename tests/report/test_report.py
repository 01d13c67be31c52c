"""The report: facts that agree with the model, and a page that needs nothing beside it."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from jinja2 import UndefinedError

from robustae.estimators.facts import facts_of
from robustae.report import write_report
from robustae.report.charts import cell, number
from robustae.report.packing import pack, unpack
from robustae.report.page import html_of
from robustae.utils.checks import InputError

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def table():
    """A table with one wild row, one wild cell and missing cells, and a model fitted to it."""
    from robustae import RobustAutoencoder

    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(120, 6))
    X[rng.random(X.shape) < 0.05] = np.nan
    X[7] = 9 * rng.normal(size=6)
    X[30, 2] = 40.0
    return RobustAutoencoder(predictor="linear", hidden=2, penalty="l1", random_state=0).fit(X), X


@pytest.fixture(scope="module")
def film():
    """A still scene that a bright square crosses, as bytes."""
    from robustae import RobustAutoencoder

    rng = np.random.default_rng(1)
    frames = 90 + 40 * rng.random((1, 9, 12)) + rng.normal(0, 2, (30, 9, 12))
    for k in range(10, 20):
        frames[k, 3:6, k - 10 : k - 7] = 250
    frames = frames.round().astype(np.uint8)
    return RobustAutoencoder(predictor="constant", penalty="l1", image_shape=(9, 12), random_state=0).fit(
        frames
    ), frames


@pytest.fixture(scope="module")
def browser():
    """Open HTML in headless Chromium and return what a script put into the page."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs Chromium to open the page")
    return program


def soft(R, lam):
    R = np.asarray(R, dtype=np.float64)
    return np.sign(R) * np.maximum(np.abs(R) - lam / 2, 0)


def seen(browser, page, tmp_path, script, width=1000):
    """What `script`, an async function body, returns inside the page; fails on any error in the console."""
    probe = (
        """<script>addEventListener("error", e => { document.title = "error: " + e.message; });</script>"""
    )
    ending = f"""<script>robustae.ready.then(async () => {{ {script} }}).then(found => {{
      const out = document.createElement("pre"); out.id = "found"; out.textContent = JSON.stringify(found);
      document.body.append(out); }}, error => {{ document.title = "error: " + error; }});</script></body>"""
    path = tmp_path / "page.html"
    path.write_text(page.replace("<body>", "<body>" + probe).replace("</body>", ending))
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    flags += [
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    flags += [
        f"--window-size={width},900",
        "--virtual-time-budget=20000",
        "--enable-logging=stderr",
        "--dump-dom",
    ]
    ran = subprocess.run([browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in ran.stderr, ran.stderr
    found = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, re.S)
    assert found, re.findall("<title>.*?</title>", ran.stdout)
    return json.loads(html.unescape(found[1]))


SLIDE = """const output = part.querySelector(".lam-value"), input = part.querySelector(".lam"), found = [];
const number = name => +output.dataset[name];
const note = () => found.push({lam: number("lam"), share: number("share"), N: [...robustae.outliers[0]()]});
note();
for (const place of [1000, 0, 350, 700]) {
  input.value = place;
  input.dispatchEvent(new Event("input"));
  note();
}
part.querySelector(".fitted").click();
note();
return found;"""


@pytest.mark.parametrize("delta", [False, True])
def test_packed_bytes_come_back(rng, delta):
    values = rng.integers(0, 256, (5, 3, 4)).astype(np.uint8)
    assert np.array_equal(unpack(json.loads(json.dumps(pack(values, delta)))), values)


def test_packed_floats_come_back_as_float32(rng):
    values = rng.normal(size=(4, 7))
    assert np.array_equal(unpack(pack(values)), values.astype(np.float32))


def test_facts_of_a_table_agree_with_the_model(table):
    model, X = table
    facts = json.loads(json.dumps(facts_of(model, X), allow_nan=False))
    assert facts["kind"] == "table"
    assert facts["read"] == {
        "rows": 120,
        "columns": 6,
        "missing": int(np.isnan(X).sum()),
        "missing_share": np.isnan(X).mean(),
    }
    assert facts["scores"]["anomalies"] == (model.predict(X) == -1).sum() == sum(facts["scores"]["anomalous"])
    assert sum(facts["scores"]["normal"]) + sum(facts["scores"]["anomalous"]) == 120
    assert facts["scores"]["threshold"] == -model.offset_
    assert [top["row"] for top in facts["top"]] == list(
        np.argsort(model.score_samples(X), kind="stable")[:12]
    )
    assert facts["training"] == list(model.history_)


def test_cell_map_shows_what_was_observed_and_expected(table):
    model, X = table
    cells = facts_of(model, X, worst=5)["map"]
    rows = cells["rows"]
    place = np.ix_(rows, cells["index"])
    assert sorted(cells["index"]) == list(range(6))
    assert np.allclose(np.array(cells["observed"], float), X[place], equal_nan=True)
    assert np.allclose(cells["expected"], model.reconstruct(X)[place])
    assert np.array_equal(cells["flagged"], model.flags(X)[place])


def test_wild_cell_is_named_as_the_cause(table):
    model, X = table
    facts = facts_of(model, X)
    causes = dict(zip((top["row"] for top in facts["top"]), facts["causes"], strict=True))
    assert causes[30][0]["observed"] == 40.0
    assert causes[30][0]["column"] == "2"


def test_columns_carry_names_and_most_flagged_come_first(table):
    model, X = table
    columns = facts_of(model, X, names=list("abcdef"))["columns"]
    assert sorted(column["name"] for column in columns) == list("abcdef")
    assert columns == sorted(columns, key=lambda column: -column["flagged"])


def test_slider_residuals_give_the_models_own_outliers(table):
    model, X = table
    facts = facts_of(model, X)
    N = soft(unpack(facts["slider"]["residuals"]), facts["slider"]["lam"])
    rows = [top["row"] for top in facts["top"]]
    assert np.array_equal(N != 0, model.outliers(X)[rows] != 0)


def test_film_facts_hold_the_frames_and_the_activity(film):
    model, frames = film
    facts = json.loads(json.dumps(facts_of(model, frames, kind="film"), allow_nan=False))["film"]
    assert np.array_equal(unpack(facts["observed"]), frames.reshape(30, -1))
    assert np.allclose(unpack(facts["expected"]), model.reconstruct(frames).reshape(30, -1)[:1])
    assert np.allclose(facts["activity"], model.flags(frames).reshape(30, -1).mean(1))
    assert np.array_equal(unpack(facts["mask"]), model.flags(frames).reshape(30, -1))


def test_unknown_kind_is_refused_with_a_suggestion(table):
    with pytest.raises(InputError, match="did you mean 'film'"):
        facts_of(*table, kind="films")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (155918.6, "155\u202f919"),
        (-9799.2, "−9\u202f799"),
        (0.01234, "0.0123"),
        (2e-5, "2.00e-5"),
        (None, "–"),
    ],
)
def test_numbers_are_written_to_be_read(value, text):
    assert number(value) == text


def test_film_of_a_table_is_refused(table):
    with pytest.raises(InputError, match="image_shape"):
        facts_of(*table, kind="film")


def test_wrong_number_of_names_is_refused(table):
    with pytest.raises(InputError, match="2 were given for 6 columns"):
        facts_of(*table, names=["a", "b"])


@pytest.mark.parametrize("settings", [{"lam": np.inf}, {"penalty": "rows"}, {"n_estimators": 2}])
@pytest.mark.parametrize("shape", [(2, 3), (30, 1), (20, 60), (12, 4, 5), (12, 4, 5, 3)])
def test_every_fit_has_a_report(rng, shape, settings):
    from robustae import RobustAutoencoder

    X = rng.normal(size=shape)
    if X[0].size > 1:
        X.flat[0] = np.nan
    facts = facts_of(RobustAutoencoder(random_state=0, **settings).fit(X), X)
    assert facts["read"]["rows"] == shape[0]
    assert facts["read"]["missing"] == np.isnan(X).sum()
    assert not re.search(r"\bnan\b", html_of([facts]), re.I)


def test_wide_table_shows_its_most_deviating_columns(rng):
    from robustae import RobustAutoencoder

    X = rng.normal(size=(50, 90))
    X[4, 71] = 60.0
    cells = facts_of(RobustAutoencoder(hidden=1, random_state=0).fit(X), X)["map"]
    assert len(cells["columns"]) == 40 and "71" in cells["columns"]


def test_frames_from_pandas_keep_their_names(table):
    pd = pytest.importorskip("pandas")
    from robustae import RobustAutoencoder

    X = pd.DataFrame(table[1], columns=list("abcdef"))
    facts = facts_of(RobustAutoencoder(random_state=0).fit(X), X)
    assert sorted(facts["map"]["columns"]) == list("abcdef")
    assert {cell["column"] for cells in facts["causes"] for cell in cells} <= set("abcdef")


def test_page_needs_nothing_from_elsewhere(table, film):
    page = html_of([facts_of(*table), facts_of(*film), facts_of(*film, kind="film")])
    assert not re.search(r"https?:|<link|<iframe|@import|\bsrc=|url\(", page)
    assert "default-src 'none'" in page


def test_names_from_the_data_cannot_become_markup(table):
    names = ["</script><script>alert(1)</script>", "<b>", '"', "d", "e", "f"]
    page = html_of([facts_of(*table, names=names, title="<i>x</i>", lead="<u>")])
    assert page.count("<script") == 2
    assert "<u>" not in page and "<i>x" not in page


def test_failed_report_leaves_the_old_one(tmp_path, table):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(UndefinedError):
        write_report(path, [{"lead": "facts without a title"}])
    with pytest.raises(ValueError):
        write_report(path, [facts_of(*table) | {"number": float("nan")}])
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_report_is_written(tmp_path, table):
    write_report(tmp_path / "report.html", [facts_of(*table, title="My table")], title="All of it")
    text = (tmp_path / "report.html").read_text()
    assert "My table" in text and "All of it" in text and text.rstrip().endswith("</html>")


@pytest.mark.parametrize("kind", ["table", "images"])
def test_slider_recomputes_outliers_as_numpy_does(browser, tmp_path, table, film, kind):
    facts = facts_of(*(table if kind == "table" else film))
    assert facts["kind"] == kind
    found = seen(
        browser, html_of([facts]), tmp_path, "const part = document.querySelector('section');" + SLIDE
    )
    R = unpack(facts["slider"]["residuals"])
    assert found[0]["lam"] == found[-1]["lam"] == facts["slider"]["lam"]
    assert found[1]["share"] == 0 and found[2]["share"] > found[0]["share"]
    for state in found:
        N = soft(R, state["lam"])
        assert np.allclose(state["N"], N.ravel(), rtol=0, atol=1e-12 * np.abs(R).max())
        assert state["share"] == pytest.approx(np.mean(N != 0))


def test_film_follows_both_sliders(browser, tmp_path, film):
    model, frames = film
    facts = facts_of(model, frames, kind="film")
    script = """const part = document.querySelector("section"), slide = part.querySelector(".frame");
    slide.value = 12; slide.dispatchEvent(new Event("input"));
    const N = [...robustae.outliers[0]()];
    part.querySelector(".lam").value = 1000; part.querySelector(".lam").dispatchEvent(new Event("input"));
    const mask = part.querySelector("canvas.mask").getContext("2d").getImageData(0, 0, 12, 9).data;
    return {N, none: [...robustae.outliers[0]()], mask: [...mask].filter((v, k) => k % 4 === 3)};"""
    found = seen(browser, html_of([facts]), tmp_path, script)
    assert np.allclose(
        found["N"], model.outliers(frames)[12].ravel() / unpack(facts["slider"]["unit"]), atol=1e-4
    )
    assert not np.any(found["none"])
    assert np.array_equal(np.array(found["mask"]) == 255, model.flags(frames)[12].ravel())


def test_page_fits_a_phone(browser, tmp_path, table, film):
    page = html_of([facts_of(*table), facts_of(*film), facts_of(*film, kind="film")])
    script = "return [document.documentElement.scrollWidth, innerWidth];"
    needed, there = seen(browser, page, tmp_path, script, width=500)
    assert needed <= there


def test_written_numbers_of_many_digits_are_shortened_and_others_are_as_written():
    assert cell("3.295326142891605") == "3.295326" and cell("-0.56809735") == "-0.5680973"
    for written in ("1.325,00", "00501", "123456789012345", "3.14", "1.2.3", "x 3.29532614"):
        assert cell(written) == written
