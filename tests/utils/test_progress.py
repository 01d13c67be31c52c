"""How far work is, in words."""

import pytest

from robustae.utils.progress import Progress, fit_shown, shown, stages_shown


def test_speed_and_time_left_in_words(capsys):
    seconds = iter([0.0, 5.0, 20.0, 21.0, 7300.0])
    progress = Progress(clock=lambda: next(seconds))
    progress(1000, 100_000)
    assert capsys.readouterr().err == ""  # not yet
    progress(40_000, 100_000)
    assert capsys.readouterr().err == "40 000 of 100 000 rows, 2 000 rows/s, 30 s left\n"
    progress(41_000, 100_000)
    progress(73_000, None, "the last")
    assert capsys.readouterr().err == "73 000 rows, 10 rows/s, the last\n"


@pytest.mark.parametrize(
    ("settings", "at", "text"),
    [
        ({"about": 1000}, (500, None, 60.0), "500 of about 1 000 rows, 8 rows/s, 1 min 00 s left"),
        ({}, (10, 30, 5400.0), "10 of 30 rows, 3 h 00 min left"),
        ({"about": 10}, (11, None, 1.0), "11 of about 10 rows, 11 rows/s"),
        ({"what": "fit", "begun": 500}, (900, 1000, 4.0), "fit 900 of 1 000 rows, 100 rows/s, 1 s left"),
        ({"what": "toy", "unit": "jobs"}, (0, 3, 0.0, "first"), "toy 0 of 3 jobs, first"),
    ],
)
def test_words_of_one_report(settings, at, text):
    assert Progress(**settings).text(*at) == text


def test_a_terminal_shows_one_line_that_is_taken_away(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with shown("frames", "frames") as progress:
        progress.show("first")
        progress.show("second")
    assert capsys.readouterr().err == "\rfirst\033[K\rsecond\033[K\r\033[K"


def test_a_fit_that_is_shown_ends_in_a_line(capsys):
    calls = []
    with fit_shown(1, lambda *args: calls.append(args)) as report:
        report(1, 9, 3.5)
        report(2, 9, 1.25)
    assert calls == [(1, 9, 3.5), (2, 9, 1.25)]
    assert capsys.readouterr().err.startswith("fit: 2 iterations of at most 9, J = 1.25, 0 s")
    with fit_shown(0, print) as report:
        assert report is print


def test_rows_are_reported_to_the_caller_too(capsys):
    calls = []
    with stages_shown(True, lambda *args: calls.append(args)) as report:
        report("read", 10, None)
        report("fit", 5, 20)
    assert calls == [("read", 10, None), ("fit", 5, 20)]
    assert capsys.readouterr().err == ""
