"""What commands do with files of other forms than the fit's, and what they write."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae.cli import app
from robustae.data import read_table

RNG = np.random.default_rng(5)
VALUES = np.round(1000 + 900 * RNG.random(60), 2)
OTHERS = RNG.permutation(60) % 13
DAYS = [f"2024-{1 + i % 12:02d}-{1 + (7 * i) % 28:02d}" for i in RNG.permutation(60)]


def german(value):
    return f"{value:,.2f}".replace(",", "x").replace(".", ",").replace("x", ".")


def lines(values, others, days, delimiter=","):
    rows = (delimiter.join(map(str, row)) for row in zip(values, others, days, strict=True))
    return delimiter.join(["price", "count", "day"]) + "\n" + "".join(row + "\n" for row in rows)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "plain.csv").write_text(lines(VALUES, OTHERS, DAYS))
    (folder / "german.csv").write_text(lines(map(german, VALUES), OTHERS, DAYS, ";"))
    for name in ("plain", "german"):
        run("fit", folder / f"{name}.csv", "--model", folder / f"{name}.rae", "--set", "predictor=constant")
    return folder


def test_a_file_in_another_form_is_refused_and_read_when_it_is_said(folder):
    for fitted, other, mark in (("plain", "german", ","), ("german", "plain", ".")):
        asked = ["score", folder / f"{other}.csv", "--model", folder / f"{fitted}.rae"]
        refused = run(*asked, code=2).stderr
        assert "column 'price'" in refused and "--decimal" in refused
        run(*asked, "--decimal", mark, "--out", folder / "s.csv")
        scores = [
            float(row["score"]) for row in csv.DictReader((folder / "s.csv").read_text("utf-8").splitlines())
        ]
        own = ["score", folder / f"{fitted}.csv", "--model", folder / f"{fitted}.rae"]
        run(*own, "--out", folder / "own.csv")
        np.testing.assert_allclose(
            scores,
            [
                float(row["score"])
                for row in csv.DictReader((folder / "own.csv").read_text("utf-8").splitlines())
            ],
            rtol=1e-9,
        )


def test_what_cannot_be_read_is_never_replaced_and_refused_where_it_is_much(folder):
    few = [*VALUES[:-2], "abc", "n/k"]
    (folder / "few.csv").write_text(lines(few, OTHERS, DAYS))
    told = run("split", folder / "few.csv", "--model", folder / "plain.rae", "--out", folder / "parts")
    assert "Taken as missing: price (text 'abc' on line 60 and 1 more)" in told.stderr
    repaired = read_table(folder / "parts" / "repaired.csv").values.columns["price"]
    assert repaired[-2:].tolist() == ["abc", "n/k"]
    much = ["abc" if i % 2 else value for i, value in enumerate(VALUES)]
    (folder / "much.csv").write_text(lines(much, OTHERS, DAYS))
    refused = run("score", folder / "much.csv", "--model", folder / "plain.rae", code=2).stderr
    assert "30 of 60 cells cannot be read" in refused and "--unreadable 0.5" in refused
    run("score", folder / "much.csv", "--model", folder / "plain.rae", "--unreadable", "0.5")


def test_split_writes_as_it_read(folder):
    run("split", folder / "german.csv", "--model", folder / "german.rae", "--out", folder / "teile")
    assert (folder / "teile" / "repaired.csv").read_text().splitlines()[0] == "price;count;day"
    before, after = (read_table(path) for path in (folder / "german.csv", folder / "teile" / "repaired.csv"))
    assert before.values.columns["price"].tolist() == after.values.columns["price"].tolist()
    assert "," in (folder / "teile" / "reconstruction.csv").read_text().splitlines()[1].split(";")[0]


def test_results_carry_the_identifier_and_guard_formulas(folder):
    names = [f"=cmd({i})" for i in range(60)]
    text = "name," + lines(VALUES, OTHERS, DAYS).replace("\n", "\n{},").removesuffix("{},")
    (folder / "named.csv").write_text(text.format(*names))
    asked = ["--id", "name", "--model", folder / "named.rae"]
    run("fit", folder / "named.csv", *asked, "--set", "predictor=constant")
    for option, mark in (("--guard", "'="), ("--no-guard", "=")):
        run("score", folder / "named.csv", *asked, "--out", folder / "s.csv", option)
        rows = list(csv.DictReader((folder / "s.csv").read_text("utf-8").splitlines()))
        assert [row["name"] for row in rows] == [mark + name[1:] for name in names]
        assert [int(row["line"]) for row in rows] == list(range(2, 62))


def test_the_model_is_not_replaced(folder):
    before = (folder / "plain.rae").read_bytes()
    asked = ["score", folder / "plain.csv", "--model", folder / "plain.rae"]
    run(*asked, "--out", folder / "plain.rae", code=2)
    assert (folder / "plain.rae").read_bytes() == before


def test_a_folder_with_dates_is_one_table(folder):
    (folder / "parts_of").mkdir(exist_ok=True)
    (folder / "parts_of" / "1.csv").write_text(lines(VALUES[:30], OTHERS[:30], DAYS[:30]))
    (folder / "parts_of" / "2.csv").write_text(lines(VALUES[30:], OTHERS[30:], DAYS[30:]))
    run("fit", folder / "parts_of", "--model", folder / "of.rae", "--set", "predictor=constant")
    assert (folder / "of.rae").stat().st_size == pytest.approx(
        (folder / "plain.rae").stat().st_size, rel=0.01
    )
    for name in ("of", "plain"):
        run(
            "score",
            folder / "plain.csv",
            "--model",
            folder / f"{name}.rae",
            "--out",
            folder / f"{name}.csv.csv",
        )
    one, two = ((folder / f"{name}.csv.csv").read_text() for name in ("of", "plain"))
    assert one == two


@pytest.fixture(scope="module")
def related(folder):
    """Columns that go together in a form that no program writes, with one wrong cell in each."""
    rng = np.random.default_rng(6)
    z = rng.normal(size=90)
    price, share = 2000 + 500 * z + rng.normal(0, 5, 90), 40 + 9 * z + rng.normal(0, 0.1, 90)
    days = np.datetime64("2024-06-01") + (30 * z + rng.normal(0, 0.3, 90)).astype(int)
    price[11], share[22], days[33] = 1.0, 900.0, np.datetime64("2019-01-01")
    rows = [
        f"{german(a)} €;{german(b)} %;{d.item():%d.%m.%Y}" for a, b, d in zip(price, share, days, strict=True)
    ]
    (folder / "related.csv").write_text("preis;anteil;tag\n" + "".join(row + "\n" for row in rows))
    run("fit", folder / "related.csv", "--model", folder / "related.rae")
    return folder / "related.csv"


def test_what_is_expected_is_written_as_the_column_is(folder, related):
    told = run("split", related, "--model", folder / "related.rae", "--out", folder / "related").stdout
    with (folder / "related" / "explain.csv").open(newline="") as file:
        wrong = {(row["line"], row["column"]): row for row in csv.DictReader(file)}
    with (folder / "related" / "repaired.csv").open(newline="") as file:
        repaired = list(csv.DictReader(file, delimiter=";"))
    for at, (line, column) in {11: ("13", "preis"), 22: ("24", "anteil"), 33: ("35", "tag")}.items():
        row = wrong[line, column]
        assert row["expected"] == repaired[at][column] and row["expected"] in told
        assert len(row["deviations"]) < 12


def test_a_report_has_the_label_where_it_has_two_values(folder, related):
    rows = related.read_text().splitlines()
    marked = [f"{row};{int(i in (12, 23, 34))};{i % 5}" for i, row in enumerate(rows)]
    (folder / "marked.csv").write_text("\n".join([rows[0] + ";wrong;five", *marked[1:]]) + "\n")
    page = folder / "marked.html"
    run("report", folder / "marked.csv", "--label", "wrong", "--drop", "five", "--out", page)
    assert "false alarms" in page.read_text()
    run("report", folder / "marked.csv", "--label", "five", "--drop", "wrong", "--out", page)
    assert "false alarms" not in page.read_text()
