"""The classroom page in a browser: pictures that answer to the hand, by the mathematics of the package."""

import re

import numpy as np
import pytest
from chromium import PROGRAM, Chromium

from robustae.tutorial import write_classroom
from robustae.tutorial.classroom import classroom_html
from robustae.tutorial.equations import soft_threshold
from robustae.utils.checks import InputError


def test_page_is_one_file_that_loads_nothing():
    page = classroom_html()
    assert not re.search(r"https?:|<link|<iframe|@import|url\(|\bsrc=|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page and "$" + "script" not in page


def test_errata_of_the_slides_are_told():
    page = classroom_html()
    for message in (
        "without the bracket",
        "(5) lacks the square",
        "“Equation 7” is (4)",
        "λ/2 in (6) is right",
    ):
        assert message in page


def test_page_is_written_whole_or_refused(tmp_path):
    write_classroom(tmp_path / "class.html")
    assert (tmp_path / "class.html").read_text("utf-8") == classroom_html()
    for place in ("class.txt", "no/class.html"):
        with pytest.raises(InputError):
            write_classroom(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["class.html"]


# In Chromium -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("needs Chromium to open the page")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """Opens the page; no error may reach the console."""

    def opening(**view):
        write_classroom(tmp_path / "class.html")
        chromium.open(tmp_path / "class.html", **view)
        chromium.until("document.getElementById('film-value').textContent")
        return chromium

    yield opening
    assert not chromium.trouble


def told(page, name):
    return page.value(f"document.getElementById('{name}').textContent")


def points(page):
    return np.array(page.value("cloud.points.map((p) => [p.x, p.y])")).T


def residuals(page):
    x, y = points(page)
    a, b = page.value("robustState().line")
    return x, y - a - b * x


def slopes(page):
    return float(told(page, "cloud-plain")), float(told(page, "cloud-robust"))


def hand(page, canvas, *places):
    """Press at the first place, in the plot's own units, move along the others, release at the last."""
    page.value(f"{canvas}.canvas.scrollIntoView({{block: 'center'}})")
    box = page.value(f"{canvas}.canvas.getBoundingClientRect().toJSON()")
    kinds = ["mousePressed", *["mouseMoved"] * (len(places) - 1), "mouseReleased"]
    for kind, (x, y) in zip(kinds, [*places, places[-1]], strict=True):
        across, down = page.value(f"[{canvas}.across({x}), {canvas}.down({y})]")
        place = {"x": box["x"] + across, "y": box["y"] + down}
        page.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **place)


def test_dragging_a_point_bends_the_plain_line_and_hardly_the_robust_one(opened):
    page = opened()
    plain, robust = slopes(page)
    x, y = points(page)
    hand(page, "cloudPlot", (x[18], y[18]), (x[18], 0.4), (x[18], 0.05))
    assert points(page)[1][18] == pytest.approx(0.05, abs=0.01)
    moved = slopes(page)
    assert plain - moved[0] > 0.08 and abs(robust - moved[1]) < 0.03
    assert told(page, "cloud-outlying") == "1 of 22"


def test_a_press_beside_the_points_moves_none(opened):
    page = opened()
    before = points(page)
    hand(page, "cloudPlot", (0.5, 0.95), (0.5, 0.1))
    assert np.array_equal(points(page), before)


def test_lines_are_those_of_least_squares_and_of_least_envelope(opened):
    page = opened()
    for _ in range(3):
        page.click("#spoil")
    x, y = points(page)
    assert page.value("plainLine(cloud.points)") == pytest.approx(np.polyfit(x, y, 1)[::-1])
    x, r = residuals(page)
    lam = page.value("cloudLam()")
    pull = np.clip(r, -lam / 2, lam / 2)
    assert abs(pull.sum()) < 1e-6 and abs(pull @ x) < 1e-6
    assert np.allclose(page.value("robustState().N"), soft_threshold(r, lam))


def test_at_infinity_there_is_no_outlier_and_one_line(opened):
    page = opened()
    page.click("#spoil")
    page.choose("#cloud-lam", 100)
    assert told(page, "cloud-lam-value") == "λ = ∞" and told(page, "cloud-outlying") == "0 of 22"
    plain, robust = slopes(page)
    assert plain == robust


def test_alternation_never_raises_the_objective_and_ends_where_the_line_is(opened):
    page = opened(motion="reduce")
    for _ in range(2):
        page.click("#spoil")
    end = float(told(page, "cloud-objective"))
    found = []
    for _ in range(12):
        page.click("#step")
        found.append(float(told(page, "cloud-objective")))
    assert np.all(np.diff(found) <= 0) and found[0] > found[-1] >= end
    assert "N held" in told(page, "cloud-value")
    page.click("#alternate")
    assert float(told(page, "cloud-objective")) == pytest.approx(end, abs=2e-3)


def test_alternation_moves_by_itself_where_motion_is_welcome(opened):
    page = opened(motion="no-preference")
    page.click("#spoil")
    page.click("#alternate")
    page.until("document.getElementById('cloud-value').textContent.startsWith('Step 3')")
    page.click("#reset")
    assert told(page, "cloud-value") == "" and told(page, "cloud-outlying") == "0 of 22"


def test_keys_move_the_chosen_point(opened):
    page = opened()
    before = points(page)
    page.value("document.getElementById('cloud').focus()")
    page.press("ArrowRight", shift=True)
    page.press(" ")
    page.press("ArrowLeft")
    moved = points(page)[0] - before[0]
    assert moved[18] == pytest.approx(0.1) and moved[19] == pytest.approx(-0.02)


def test_one_residual_is_split_as_the_package_does(opened):
    page = opened()
    for place in (2.4, -1.5, 0.3):
        hand(page, "thresholdPlot", (0, 0), (place, 0))
        r, lam = page.value("one.r"), page.value("oneLam()")
        assert r == pytest.approx(place, abs=0.03)
        N = float(soft_threshold(np.array([r]), lam)[0])
        cost = (r - N) ** 2 + lam * abs(N)
        message = [float(number) for number in re.findall(r"-?\d+\.\d+", told(page, "one-value"))]
        assert message == pytest.approx([r, N, r - N, cost, r**2], abs=0.006)


def test_film_is_split_into_three_parts_that_add_up(opened):
    page = opened()
    frames, b = (
        np.array(page.value("film().map((frame) => [...frame])")),
        np.array(page.value("[...fitRoom().b]")),
    )
    lam = page.value("filmLam()")
    pull = np.clip(frames - b, -lam / 2, lam / 2).mean(axis=0)
    assert np.abs(pull).max() < 1e-3
    image = "document.getElementById('film-n').getContext('2d').getImageData(0, 0, WIDE, HIGH).data"
    shown = np.array(page.value(f"Array.from({image})")).reshape(-1, 4)
    N = soft_threshold(frames[7] - b, lam)
    coloured = np.ptp(shown[:, :3].astype(int), axis=1)
    assert coloured[N == 0].max() == 0 and coloured[np.abs(N) > 0.1].min() > 10
    share = float(re.search(r"N ≠ 0 in ([\d.]+) %", told(page, "film-value"))[1])
    assert share == pytest.approx(100 * np.mean(N != 0), abs=0.06)


def off(page):
    return float(re.search(r"off the empty room by ([\d.]+)", told(page, "film-value"))[1])


def test_robust_background_is_nearer_to_the_empty_room_than_the_mean(opened):
    page = opened()
    robust = off(page)
    page.choose("#film-lam", 100)
    assert "it is the mean, with a ghost" in told(page, "film-value")
    mean = np.array(page.value("film().map((frame) => [...frame])")).mean(axis=0)
    assert np.allclose(page.value("[...fitRoom().b]"), mean, atol=1e-5)
    assert off(page) > 3 * robust


def test_who_waits_for_most_of_the_film_is_learned(opened):
    page = opened()
    robust = off(page)
    page.click("#longer")
    assert off(page) > 2 * robust


def test_film_plays_and_stops(opened):
    page = opened()
    first = told(page, "frame-value")
    page.click("#play")
    page.until(f"document.getElementById('frame-value').textContent !== {first!r}")
    page.click("#play")
    assert page.value("document.getElementById('play').getAttribute('aria-label')") == "play"


def test_page_fits_a_phone(opened):
    page = opened(width=390)
    assert page.value("document.documentElement.scrollWidth") <= 390
    x, y = points(page)
    hand(page, "cloudPlot", (x[3], y[3]), (x[3], 0.9))
    assert points(page)[1][3] == pytest.approx(0.9, abs=0.02)
