"""The film page: what it shows is what the video holds, and every control does what it says."""

import csv
import io
import re
import time

import numpy as np
import pytest
from chromium import PROGRAM, Chromium

from robustae.report.film import film_page

av = pytest.importorskip("av")

FRAMES, HEIGHT, WIDTH, FPS, SCALE = 40, 48, 64, 10.0, 51.0
SIDE = 16  # of the square that moves two pixels a frame
HOSTILE = '</script><img src=x onerror="window.broken=1">"\'><script>window.broken=1</script>'


def square(frame):
    """Where the square is: rows, columns."""
    return slice(16, 16 + SIDE), slice(frame % 24 * 2, frame % 24 * 2 + SIDE)


def encoded(panels, codec="libx264", kind="mp4"):
    """Frames (n, height, width, 3) as the bytes of a video."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as file:
        stream = file.add_stream(codec, rate=int(FPS))
        stream.height, stream.width, stream.pix_fmt = *panels.shape[1:3], "yuv420p"
        for frame in panels:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def side_by_side():
    """Original, background, foreground and score: 4 noise deviations and 40 in the square's two halves."""
    panels = np.zeros((FRAMES, HEIGHT, 4, WIDTH, 3), np.uint8)
    panels[:, :, :2] = 90
    for k in range(FRAMES):
        rows, columns = square(k)
        panels[k, rows, 0, columns] = panels[k, rows, 2, columns] = 220
        panels[k, rows, 3, columns] = 200
        panels[k, rows.start : rows.start + SIDE // 2, 3, columns] = 60
    return panels.reshape(FRAMES, HEIGHT, 4 * WIDTH, 3)


def activity(frames):
    share = np.where(np.arange(frames) % 2, 0.03125, SIDE**2 / HEIGHT / WIDTH)
    columns = {"frame": np.arange(100, 100 + frames), "seconds": np.arange(frames) / FPS, "share": share}
    columns |= {"score": share * 7, "flagged": share > 0.05, "blobs": np.ones(frames, int)}
    return columns | {"boxes": [f"{k % 24 * 2},16,16,16;1,2,3,4" for k in range(frames)]}


@pytest.fixture(scope="module")
def facts():
    picture = av.CodecContext.create("png", "w")
    picture.width, picture.height, picture.pix_fmt, picture.framerate = WIDTH, HEIGHT, "rgb24", 1
    still = av.VideoFrame.from_ndarray(side_by_side()[8, :, :WIDTH], format="rgb24")
    png = bytes(picture.encode(still)[0])
    return {
        "name": "square.mkv",
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "frames": FRAMES,
        "panels": [
            {"name": name, "x": k * WIDTH, "y": 0}
            for k, name in enumerate(("original", "background", "foreground", "score"))
        ],
        "video": encoded(side_by_side()),
        "video_name": "side_by_side.mp4",
        "score_scale": SCALE,
        "threshold": 4.0,
        "activity": activity(FRAMES),
        "thumbnails": [{"frame": 8, "seconds": 0.8, "share": 0.08, "png": png}],
        "summary": {"lam_": 2.5, "settings": {"predictor": "linear", "shadows": False}, "notes": []},
    }


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("needs Chromium to open the page")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(chromium, tmp_path, facts):
    """Write and open the page of the facts, changed where wanted; no error may reach the console."""

    def opening(changed=None, **view):
        path = tmp_path / "index.html"
        path.write_text(film_page(facts | (changed or {})), encoding="utf-8")
        chromium.open(path, **view)
        chromium.until("document.getElementById('video').readyState >= 2")
        return chromium

    yield opening
    assert not chromium.trouble


def panel(page, name):
    """Pixels of a panel as shown: (height, width, 4)."""
    read = f"document.getElementById('{name}').getContext('2d').getImageData(0, 0, {WIDTH}, {HEIGHT}).data"
    return np.array(page.value(f"Array.from({read})")).reshape(HEIGHT, WIDTH, 4)


def told(page, name):
    return page.value(f"document.getElementById('{name}').textContent")


def shown(page, frame):
    """Wait until the page shows the frame (numbered from 0) and says so."""
    page.until(f"document.getElementById('where').textContent.includes('frame {100 + frame} ')")
    rows, columns = square(frame)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[rows, columns] = True
    end = time.monotonic() + 60
    while not np.array_equal(panel(page, "foreground")[..., 3] > 0, inside):
        assert time.monotonic() < end, "the foreground of this frame was never drawn"
        time.sleep(0.05)


def test_page_is_one_file_that_loads_nothing(facts):
    page = film_page(facts)
    assert not re.search(r"https?:|<link|<iframe|@import|url\(", page)
    assert [*re.findall(r'\bsrc="([^"]{0,15})', page)] == ["data:image/png;"]
    assert "default-src 'none'" in page


def test_no_line_ends_within_an_option_of_a_note(facts):
    summary = facts["summary"] | {"notes": ["<b>A cut</b>: --start 3 or --no-stabilise, a--b."]}
    noted = re.search('<p class="note">(.*?)</p>', film_page(facts | {"summary": summary})).group(1)
    assert noted == (
        "&lt;b&gt;A cut&lt;/b&gt;: <span class=option>--start</span> 3 or "
        "<span class=option>--no-stabilise</span>, a--b."
    )


def test_notes_stand_once(facts):
    page = film_page(facts | {"summary": facts["summary"] | {"notes": ["the camera moves"]}})
    assert page.count("the camera moves") == 1


def test_facts_are_listed(facts):
    page = film_page(facts)
    assert "<dt>lam_</dt><dd>2.50</dd>" in page and "<dt>settings · predictor</dt><dd>linear</dd>" in page
    assert "<dt>settings · shadows</dt><dd>no</dd>" in page


def test_numbers_that_json_lacks_are_left_out(facts):
    columns = facts["activity"] | {"score": [float("nan")] * FRAMES}
    page = film_page(facts | {"activity": columns, "summary": {"lam_": np.float64("inf")}})
    assert '"score":[null,' in page and "<dt>lam_</dt><dd>–</dd>" in page


def test_hostile_names_stay_text(opened, facts):
    page = opened({"name": HOSTILE, "video_name": HOSTILE, "summary": {HOSTILE: HOSTILE, "all": [HOSTILE]}})
    assert page.value("window.broken === undefined")
    assert page.value("document.querySelector('h1').textContent") == HOSTILE
    assert page.value("document.querySelector('dt').textContent") == HOSTILE


@pytest.mark.parametrize(("codec", "kind"), [("libx264", "mp4"), ("libvpx-vp9", "webm")])
def test_video_plays_and_the_panels_hold_its_frames(opened, codec, kind):
    if codec not in av.codecs_available:
        pytest.skip(f"needs an encoder of {codec}")
    page = opened({"video": encoded(side_by_side(), codec, kind)})
    assert page.value("video.duration") == pytest.approx(FRAMES / FPS, abs=0.2)
    shown(page, 0)
    assert np.abs(panel(page, "background")[..., :3] - 90).max() < 12
    assert np.abs(panel(page, "foreground")[20, 4, :3] - 220).max() < 12


def test_slider_moves_the_foreground_and_tells_its_share(opened):
    page = opened()
    shown(page, 0)
    assert "4 noise deviations, automatic · 8.3 % of this frame" in told(page, "threshold-value")
    page.choose("#threshold", 25)
    half = panel(page, "foreground")[..., 3] > 0
    assert half.sum() == SIDE**2 / 2 and half[16 + SIDE // 2 : 16 + SIDE, :SIDE].all()
    assert "25 noise deviations · 4.2 % of this frame" in told(page, "threshold-value")
    page.choose("#threshold", SCALE)
    assert not panel(page, "foreground")[..., 3].any()
    page.click("#automatic")
    shown(page, 0)


def test_mask_tints_the_original_until_it_is_switched_off(opened):
    page = opened()
    shown(page, 0)
    red, green, blue = panel(page, "original")[20, 4, :3]
    assert red > green > blue
    page.click("#tint")
    assert np.ptp(panel(page, "original")[20, 4, :3]) < 6


def test_foreground_can_be_shown_as_difference(opened):
    page = opened()
    shown(page, 0)
    page.value(
        "{const view = document.getElementById('view'); view.value = 'difference';"
        "view.dispatchEvent(new Event('change')); 0}"
    )
    pixels = panel(page, "foreground")
    assert abs(pixels[20, 4, 0] - (128 + (220 - 90) / 2)) < 9 and tuple(pixels[40, 60]) == (
        128,
        128,
        128,
        255,
    )


def test_click_and_drag_on_the_curve_jump(opened):
    page = opened()
    page.click("#curve", across=22.5 / FRAMES)
    shown(page, 22)
    assert page.value("video.currentTime") == pytest.approx(22.5 / FPS)
    assert page.value("document.getElementById('curve').getAttribute('aria-valuetext')").startswith(
        "0:02.2, "
    )
    page.drag("#curve", 0.5 / FRAMES, 30.5 / FRAMES)
    shown(page, 30)


def test_thumbnail_jumps(opened):
    page = opened()
    assert page.value("document.querySelector('.moments img').naturalWidth") == WIDTH
    page.click(".moments button")
    shown(page, 8)


def test_keys_step_and_play(opened):
    page = opened()
    shown(page, 0)
    for key, shift, frame in [("ArrowRight", False, 1), ("ArrowRight", True, 11), ("ArrowLeft", False, 10)]:
        page.press(key, shift)
        shown(page, frame)
    page.value("document.getElementById('curve').focus()")
    page.press("End")
    shown(page, FRAMES - 1)
    page.press(" ")
    page.until("!video.paused")
    page.until("document.getElementById('play').getAttribute('aria-label') === 'pause'")
    page.press(" ")
    page.until("video.paused")


def test_boxes_are_drawn_where_they_were_found(opened):
    page = opened({"frame_width": 2 * WIDTH, "frame_height": 2 * HEIGHT})
    page.click("#boxed")
    page.click("#curve", across=3.5 / FRAMES)
    shown(page, 3)
    path = page.value("document.getElementById('boxes').getAttribute('d')")
    assert path == "M6 16h16v16h-16zM1 2h3v4h-3z"
    drawn, panel = (
        page.value(f"document.querySelector('{name}').getBoundingClientRect().toJSON()")
        for name in ("#boxes", "#original")
    )
    assert drawn["width"] / panel["width"] == pytest.approx(21 / 2 / WIDTH, rel=0.02)


def test_speed_and_loop_reach_the_video(opened):
    page = opened()
    page.click("#loop")
    page.choose("#speed", "8")
    page.click("#play")
    page.until("video.ended")
    assert page.value("video.playbackRate") == 8
    shown(page, FRAMES - 1)


def test_plays_by_itself_only_where_motion_is_welcome(opened):
    assert opened(motion="reduce").value("video.paused && video.currentTime === 0")
    opened(motion="no-preference").until("!video.paused && video.currentTime > 0")


def test_activity_comes_down_as_csv(opened, tmp_path, facts):
    page = opened()
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click("#download")
    path, end = tmp_path / "activity.csv", time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, "no file came down"
        time.sleep(0.02)
    rows = [*csv.DictReader(path.read_text().splitlines())]
    wanted = facts["activity"]
    assert [*rows[0]] == [*wanted] and [row["boxes"] for row in rows] == wanted["boxes"]
    for name in ("frame", "seconds", "share", "score", "blobs"):
        assert np.allclose([float(row[name]) for row in rows], [*wanted[name]], rtol=1e-5)


def test_curve_of_a_long_clip_is_thinned_but_keeps_its_extremes(opened):
    columns = activity(20_000)
    columns["share"] = np.zeros(20_000)
    columns["share"][12_345] = 1.0
    page = opened({"activity": columns})
    path = page.value("document.querySelector('.timeline .curve').getAttribute('d')")
    heights = [float(point.split()[1]) for point in re.split("[ML]", path)[1:]]
    assert len(heights) <= 2000 and min(heights) == 20 and heights.count(20) == 1
    assert told(page, "most") == "100 %"


def test_video_beside_a_page_opened_as_a_file_is_shown_as_written(opened, tmp_path, facts):
    (tmp_path / "side by side#1.mp4").write_bytes(facts["video"])
    page = opened({"video": None, "video_name": "side by side#1.mp4"})
    page.until("!document.getElementById('trouble').hidden")
    assert "the threshold stays" in told(page, "trouble")
    assert page.value("document.getElementById('chooser').hidden")
    page.click("#curve", across=22.5 / FRAMES)
    page.until("video.currentTime > 2 && !video.seeking")


def test_missing_video_is_said(chromium, tmp_path, facts):
    path = tmp_path / "index.html"
    path.write_text(film_page(facts | {"video": None}), encoding="utf-8")
    chromium.open(path)
    chromium.until("document.getElementById('trouble').textContent.startsWith('The video cannot be played')")


def test_browser_without_frame_callbacks_follows_too(opened, chromium):
    script = chromium.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="delete HTMLVideoElement.prototype.requestVideoFrameCallback",
    )
    try:
        page = opened()
        shown(page, 0)
        page.click("#curve", across=22.5 / FRAMES)
        shown(page, 22)
    finally:
        chromium.call("Page.removeScriptToEvaluateOnNewDocument", **script)


def test_page_fits_a_phone(opened):
    page = opened(width=390)
    assert page.value("document.documentElement.scrollWidth") <= 390
    original, background = (
        page.value(f"document.getElementById('{name}').getBoundingClientRect().bottom")
        for name in ("original", "background")
    )
    assert original < background
