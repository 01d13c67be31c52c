"""`robustae watch`: rows in, a line out for each, at once, whatever else comes."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.data import MixedTable
from robustae.deploy.watch import Feed, Tally, Watch, watch
from robustae.deploy.watch.feed import Line
from robustae.utils.checks import InputError

NAMES = ["a", "b", "c", "d"]
rng = np.random.default_rng(5)
X = rng.normal(size=(300, 1)) * [1.0, 2.0, -1.0, 0.5] + 0.1 * rng.normal(size=(300, 4))
X[7, 2] += 9
MIXED = {"size": X[:, 0], "kind": np.array(["x", "y", "z"] * 100, dtype=object)}


def fitted(X, **settings):
    return RobustAutoencoder(predictor="linear", hidden=1, random_state=0, **settings).fit(X)


@pytest.fixture(scope="module")
def model():
    model = fitted(X)
    model.feature_names_in_ = np.array(NAMES, dtype=object)
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("watch") / "m.rae"
    model.save(path)
    return path


def csv_text(rows, names=NAMES):
    return "\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n"


def watched(model, text, **how):
    """Lines written, sentences said, and the tally."""
    out, said, tally = io.StringIO(), [], Tally()
    data = text if isinstance(text, bytes) else text.encode()
    longest, encoding = how.pop("longest", 2**20), how.pop("encoding", None)
    feed = Feed(io.BytesIO(data), how.pop("rows", 256), 0.01, longest, encoding)
    watch(model, feed, out, Watch(**how), said.append, tally)
    return out.getvalue().splitlines(), said, tally


def told(lines):
    return [json.loads(line) for line in lines]


def scores_of(model, rows):
    names = model.__dict__.pop("feature_names_in_")
    try:
        return model.score_samples(np.asarray(rows, dtype=float))
    finally:
        model.feature_names_in_ = names


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("rows", [1, 7, 256])
def test_each_row_gets_its_score_flag_and_worst_cells(model, rows):
    lines, said, tally = watched(model, csv_text(X[:20]), to="jsonl", rows=rows)
    found, expected = told(lines), scores_of(model, X[:20])
    assert [row["row"] for row in found] == list(range(20))
    np.testing.assert_allclose([row["score"] for row in found], expected, rtol=1e-9)
    assert [row["anomaly"] for row in found] == (expected < model.offset_).tolist()
    worst = found[7]["cells"][0]
    assert worst["column"] == "c" and worst["observed"] == X[7, 2] and worst["deviations"] > 3
    assert abs(worst["expected"] - (X[7, 2] - 9)) < 1
    assert (tally.rows, tally.bad, said) == (20, 0, [])
    assert tally.flagged == sum(row["anomaly"] for row in found)


def test_csv_has_the_cells_beside_each_other(model):
    lines, _, _ = watched(model, csv_text(X[:20]), cells=2, cut=0.0)
    names, *rows = csv.reader(lines)
    assert names == ["row", "score", "anomaly", "column", "observed", "expected", "deviations"] + [
        f"{part}_2" for part in ("column", "observed", "expected", "deviations")
    ]
    assert {len(row) for row in rows} == {11}
    off = [(abs(float(row[6])), abs(float(row[10]))) for row in rows]
    assert all(first >= second for first, second in off)


def test_columns_are_found_by_name_and_others_left_aside(model):
    order = [3, 0, 2, 1]
    rows = [["x", *row[order], 5] for row in X[:9]]
    lines, _, _ = watched(model, csv_text(rows, ["id", "d", "a", "c", "b", "more"]), to="jsonl")
    np.testing.assert_allclose([row["score"] for row in told(lines)], scores_of(model, X[:9]), rtol=1e-9)


@pytest.mark.parametrize("form", ["objects", "lists", "texts"])
def test_json_lines(model, form):
    rows = [dict(zip(reversed(NAMES), reversed(row), strict=True)) | {"id": 3} for row in X[:9].tolist()]
    if form == "lists":
        rows = X[:9].tolist()
    if form == "texts":
        rows = [{name: str(row[name]) for name in NAMES} for row in rows]
    rows[2 if form != "lists" else 0] = rows[1]
    lines, said, _ = watched(model, "\n".join(map(json.dumps, rows)))
    assert not said
    expected = X[:9].copy()
    expected[2 if form != "lists" else 0] = X[1]
    np.testing.assert_allclose([row["score"] for row in told(lines)], scores_of(model, expected), rtol=1e-9)


def test_missing_cells(model):
    rows = X[:3].astype(object)
    rows[0, 1], rows[1, 2] = "", "NA"
    as_json = [
        dict(zip(NAMES, [None if cell in ("", "NA") else cell for cell in row], strict=True)) for row in rows
    ]
    expected = X[:3].copy()
    expected[0, 1] = expected[1, 2] = np.nan
    for text in (csv_text(rows), "\n".join(map(json.dumps, as_json))):
        lines, said, _ = watched(model, text, to="jsonl")
        assert not said
        np.testing.assert_allclose(
            [row["score"] for row in told(lines)], scores_of(model, expected), rtol=1e-9
        )


def test_a_mixed_table():
    model = fitted(MixedTable(MIXED))
    rows = [*zip(MIXED["size"][:6], MIXED["kind"][:6], strict=True), (0.1, "never seen")]
    lines, said, _ = watched(model, csv_text(rows, ["size", "kind"]), to="jsonl")
    assert not said
    expected = model.score_samples(MixedTable({name: values[:6] for name, values in MIXED.items()}))
    np.testing.assert_allclose([row["score"] for row in told(lines)[:6]], expected, rtol=1e-9)
    assert told(lines)[6]["cells"][0]["column"] == "kind"


def test_a_model_without_names_takes_cells_by_position():
    model = fitted(X)
    parted = csv_text(X[:5], NAMES).replace(",", ";")
    for text in (csv_text(X[:5]), csv_text(X[1:5], X[0]), parted, parted.replace(".", ",")):
        lines, said, _ = watched(model, text, to="jsonl")
        assert not said
        np.testing.assert_allclose(
            [row["score"] for row in told(lines)], model.score_samples(X[:5]), rtol=1e-9
        )


# ---------------------------------------------------------------- encodings


@pytest.fixture(scope="module")
def places():
    names = ["Köln", "Łódź", "Zürich"]
    return fitted(
        MixedTable({"größe": X[:, 0], "ort": np.array([names[i % 3] for i in range(len(X))], object)})
    )


ENCODINGS = {  # as it is written, as it is named, and whether that is said
    "utf-8": ("utf-8", None, False),
    "utf-8 with its mark": ("utf-8-sig", None, False),
    "utf-16 with its mark": ("utf-16", None, False),
    "utf-32 with its mark": ("utf-32", None, False),
    "utf-16 without its mark": ("utf-16-be", "utf-16-be", False),
    "western": ("cp1252", None, True),
    "western, named": ("cp1252", "cp1252", False),
    "eastern": ("cp1250", "cp1250", False),
    "chinese": ("gb18030", "gb18030", False),
}


@pytest.mark.parametrize("pieces", [1, 7, 10**6])
@pytest.mark.parametrize("name", ENCODINGS)
def test_lines_in_any_encoding_are_read_alike(places, name, pieces):
    """Whatever bytes come together."""
    written, named, is_said = ENCODINGS[name]
    rows = [(f"{x:.3f}", ort) for x, ort in zip(X[:8, 0], ["Köln", "Zürich"] * 4, strict=True)]
    text = csv_text(rows, ["größe", "ort"])
    plain, _, _ = watched(places, text, to="jsonl")
    data = text.encode(written)
    out, said = io.StringIO(), []
    feed = Feed(InPieces(data, pieces), 3, 0.01, encoding=named)
    watch(places, feed, out, Watch(to="jsonl"), said.append)
    assert out.getvalue().splitlines() == plain and len(plain) == 8
    assert [("Windows-1252" in sentence) for sentence in said] == [True] * is_said


class InPieces(io.BytesIO):
    def __init__(self, data, size):
        super().__init__(data)
        self.size = size

    def read(self, size=-1):
        return super().read(min(size, self.size))


@pytest.mark.parametrize(
    ("encoding", "words"), [("utf-16", "not utf-16"), ("zip", "not known"), ("x", "not known")]
)
def test_an_encoding_that_will_not_do(places, encoding, words):
    with pytest.raises(InputError, match=words):
        watched(places, "größe,ort\n1,Köln\n", encoding=encoding)


def test_lines_that_are_no_text_are_left_out(places):
    good = "größe,ort\n1,Köln\n".encode()
    _, said, tally = watched(places, good + b"\xff\x01\x02,Ulm\n1,\x81\n", to="jsonl")
    assert tally.rows == 1 and said == [f"line {i} is left out: it is not utf-8." for i in (3, 4)]


# ---------------------------------------------------------------- bad lines


def test_bad_lines_are_named_counted_and_left_out(model):
    good = ",".join(map(str, X[0]))
    bad = ["1,2", "1,2,3,x", ",,,", "1,2,3,inf", "1,2,3,1e200", '"open', "9" * 500]
    text = "\n".join(["a,b,c,d", good, *bad, "", good]) + "\n"
    lines, said, tally = watched(
        model, text.encode() + b"\xff,1,2,3\n" + good.encode(), to="jsonl", longest=300, encoding="utf-8"
    )
    found = told(lines)
    assert [row["row"] for row in found] == [0, 8, 10]
    assert len({row["score"] for row in found}) == 1
    assert tally.bad == len(said) == 8
    assert "line 12 is left out: it is not utf-8." in said
    assert sorted(int(sentence.split()[1]) for sentence in said) == [3, 4, 5, 6, 7, 8, 9, 12]
    assert all("\n" not in sentence for sentence in said)


def test_bad_json_is_named(model):
    good = json.dumps(dict(zip(NAMES, X[0].tolist(), strict=True)))
    bad = ["{", "7", '{"a": 1}', "[1, 2]", '{"a": [1], "b": 2, "c": 3, "d": 4}', "[" * 5000]
    lines, said, tally = watched(model, "\n".join([good, *bad, good]))
    assert len(lines) == 2 and tally.bad == len(said) == len(bad)


def test_strict_stops_at_the_first_bad_line(model):
    with pytest.raises(InputError, match="line 3"):
        watched(model, csv_text([*X[:1], [1, 2], *X[1:]]), strict=True)


@pytest.mark.parametrize("bad", [[1, 2], ["x", 1, 2, 3], [float("inf"), 1, 2, 3]])
@pytest.mark.parametrize("rows", [1, 4, 256])
def test_strict_writes_the_lines_before_the_bad_one(model, bad, rows):
    out = io.StringIO()
    feed = Feed(io.BytesIO(csv_text([*X[:9], bad, *X[9:20]]).encode()), rows, 0.01)
    with pytest.raises(InputError, match="line 11"):
        watch(model, feed, out, Watch(strict=True), print)
    lines = out.getvalue().splitlines()[1:]
    scores = [float(line.split(",")[1]) for line in lines]
    assert scores == pytest.approx(model.score_samples(X[:9]).tolist())


def test_time_grows_with_the_lines_and_not_with_their_square():
    """Counted in what is done, not in seconds: lines are measured once each."""

    class Text(str):
        measured = 0

        def __len__(self):
            Text.measured += 1
            return super().__len__()

    feed = Feed(io.BytesIO(), 10**6, 0.01)
    feed._line = lambda part: Line(1, Text(part.decode()))
    feed._chunks.get()  # the end of the empty stream
    for _ in range(5):
        feed._chunks.put(b"1,2,3,4\n" * 1000)
    feed._chunks.put(b"")
    assert sum(map(len, feed.batches())) == 5000
    assert Text.measured <= 2 * 5000


def test_columns_that_lack_end_it_at_once(model):
    with pytest.raises(InputError, match="did you mean 'bb'"):
        watched(model, csv_text(X[:2], ["a", "bb", "c", "d"]))


@given(
    text=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)),
    kind=st.sampled_from(["csv", "jsonl"]),
)
def test_whatever_comes_a_line_is_written_or_a_sentence_said(model, text, kind):
    rows = [line for line in text.split(b"\n") if line.strip(b" \r\t")]
    first = csv_text(X[:1]) if kind == "csv" else json.dumps(X[0].tolist()) + "\n"
    lines, said, tally = watched(model, first.encode() + text, to="jsonl", format=kind)
    said = [sentence for sentence in said if "Windows-1252" not in sentence]
    assert tally.rows == len(lines) and tally.bad == len(said)
    assert len(lines) + len(said) <= len(rows) + 1


def test_the_feed_keeps_no_more_than_it_may():
    feed = Feed(io.BytesIO(b"x" * 10_000_000 + b"\nshort\n"), rows=4, longest=1000)
    lines = [line for batch in feed.batches() for line in batch]
    assert [(line.number, line.text) for line in lines] == [(1, None), (2, "short")]
    assert len(feed._rest) == 0


# ---------------------------------------------------------------- going on learning


def test_adapting_follows_a_drift_and_leaves_the_model_as_it_was(model):
    moved = X + 1.0
    before = scores_of(model, X)
    rows = np.tile(moved, (12, 1))
    still = told(watched(model, csv_text(rows), to="jsonl")[0])
    lines, said, tally = watched(model, csv_text(rows), to="jsonl", forget=0.5)
    adapted = told(lines)
    assert tally.learnt >= 3000 and not said
    flags = [sum(row["anomaly"] for row in found[-300:]) for found in (still, adapted)]
    assert flags[1] < flags[0] / 2
    np.testing.assert_array_equal(scores_of(model, X), before)


def test_what_was_learnt_is_saved(saved, tmp_path):
    text = csv_text(np.tile(X, (2, 1)))
    options = ["watch", "--model", str(saved), "--adapt", "--save", str(tmp_path / "new.rae")]
    result = CliRunner().invoke(app, options, input=text)
    assert result.exit_code == 0, result.output
    again = load(tmp_path / "new.rae")
    assert again.n_iter_ > load(saved).n_iter_
    assert list(again.feature_names_in_) == NAMES


# ---------------------------------------------------------------- the command


def started(saved, *options, **pipes):
    command = [sys.executable, "-m", "robustae", "watch", "--model", str(saved), *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    return subprocess.Popen(command, text=True, bufsize=1, **pipes)


def first_row(process):
    process.stdin.write(csv_text(X[:1]))
    process.stdin.flush()
    assert process.stdout.readline().startswith("row,")
    return process.stdout.readline()


def test_a_row_is_answered_while_the_stream_stays_open(saved):
    process = started(saved)
    assert first_row(process).startswith("0,")
    latencies = []
    for row in X[1:20]:
        start = time.perf_counter()
        process.stdin.write(",".join(map(str, row)) + "\n")
        process.stdin.flush()
        assert process.stdout.readline()
        latencies.append(time.perf_counter() - start)
    out, said = process.communicate(timeout=90)
    assert process.returncode == 0 and not out
    assert "20 rows scored" in said
    assert np.median(latencies) < 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_a_summary(saved, number):
    process = started(saved)
    first_row(process)
    process.send_signal(number)
    out, said = process.communicate(timeout=90)
    assert process.returncode == 130
    assert said.startswith("1 rows scored") and "Traceback" not in said


def test_a_reader_that_goes_away_ends_it_politely(saved):
    process = started(saved)
    first_row(process)
    process.stdout.close()
    try:
        for row in np.tile(X, (50, 1)):
            process.stdin.write(",".join(map(str, row)) + "\n")
        process.stdin.close()
    except BrokenPipeError:
        pass
    said = process.stderr.read()
    assert process.wait(timeout=90) == 0
    assert "rows scored" in said and "Traceback" not in said and "Exception" not in said
    assert "the output was closed before all was written" in said


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_closed_input_or_output_is_one_sentence(closed, saved):
    line = f'"{sys.executable}" -m robustae watch --model "{saved}" {closed}'
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2, done.stderr
    assert "closed" in done.stderr and "Traceback" not in done.stderr


def test_the_command_refuses_in_a_sentence(saved, tmp_path):
    for options, word in (
        (["--format", "xml"], "did you mean"),
        (["--save", str(tmp_path / "m")], "--adapt"),
        (["--model", str(tmp_path / "absent")], "not there"),
    ):
        given = ["watch", *([] if "--model" in options else ["--model", str(saved)]), *options]
        result = CliRunner().invoke(app, given, input=csv_text(X[:2]))
        assert result.exit_code == 2 and "Traceback" not in result.output
        assert word in result.stderr or "'csv'" in result.stderr
    strict = CliRunner().invoke(app, ["watch", "--model", str(saved), "--strict"], input=csv_text([[1, 2]]))
    assert strict.exit_code == 2 and "line 2" in strict.stderr


def resident_kib(pid):
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    return int(status.read_text().partition("VmRSS:")[2].split()[0])


@pytest.mark.slow
def test_memory_stays_flat_over_many_rows(saved):
    """A hundred thousand rows take no more than ten thousand."""
    process = started(saved, "--to", "jsonl", stdout=subprocess.DEVNULL)
    block = csv_text(np.tile(X, (34, 1)))
    header, _, rows = block.partition("\n")
    process.stdin.write(header + "\n")
    resident = []
    for k in range(10):
        process.stdin.write(rows)
        process.stdin.flush()
        if k in (1, 9):
            time.sleep(0.5)
            resident.append(resident_kib(process.pid))
    process.stdin.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert "102000 rows scored" in said
    assert resident[1] - resident[0] < 30_000, resident


def test_lines_above_the_names_are_notes(model):
    rows = csv_text(np.zeros((3, len(NAMES))))
    plain, _, _ = watched(model, rows)
    for above in ("Report\n\n", "# a comment, of two\n", "sep=,\n", "Made at noon\nBy: me\n"):
        found, said, _ = watched(model, above + rows)
        assert found == plain and all("note" in line for line in said)


def test_notes_that_no_names_follow_are_refused_at_the_end(model):
    with pytest.raises(InputError, match="no column"):
        watched(model, "Report\n1,2\n1,2\n")
