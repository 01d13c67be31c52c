"""The demonstration: real data, no network, one page, and nothing half done."""

import json
import socket

import numpy as np
import pytest

from robustae.utils.checks import InputError

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One run of the demonstration on a machine without network and without public data."""
    from robustae.lab.demo import run_demo

    folder, said = tmp_path_factory.mktemp("demo"), []

    def refuse(*_, **__):
        raise OSError("no network here")

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ROBUSTAE_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(socket.socket, "connect", refuse)
        demo = run_demo(folder / "out", said.append)
    return demo, json.loads((folder / "out" / "facts.json").read_text()), said


def test_demo_writes_its_page_and_its_facts_and_says_where(shown):
    demo, facts, said = shown
    assert demo.report.name == "report.html" and demo.report.read_text().rstrip().endswith("</html>")
    assert sorted(path.name for path in demo.report.parent.iterdir()) == ["facts.json", "report.html"]
    assert [line.split(":")[0] for line in demo.lines] == ["digits", "table", "walkway"]
    assert any(line.startswith("restaurant: left out") for line in said)
    assert [part["kind"] for part in facts] == ["images", "table", "film"]


def test_demo_takes_less_than_two_minutes(shown):
    assert shown[0].seconds < 120


def test_page_is_a_few_megabytes_at_most(shown):
    assert shown[0].report.stat().st_size < 4e6


def test_robust_autoencoder_finds_more_sevens_than_the_plain_one_and_pca(shown):
    rows = {row["name"]: row["values"][0]["mean"] for row in shown[1][0]["comparisons"][0]["rows"]}
    assert rows["RAE"] > rows["AE (λ = ∞)"] > 0
    assert rows["RAE"] > rows["PCA"] > 0
    assert rows["RAE"] > 0.85


def test_digits_come_with_their_true_names(shown):
    digits = shown[1][0]
    assert {top["label"] for top in digits["top"]} <= {"a one", "a seven"}
    assert sum(top["label"] == "a seven" for top in digits["top"]) >= 7


def test_wrong_cells_are_found_and_the_repair_beats_the_median(shown):
    table = shown[1][1]
    tiles = {tile["label"]: tile["value"] for tile in table["numbers"]}
    assert float(tiles["wrong cells found"].split()[0]) > 95
    assert tiles["cells not flagged"] == "untouched"
    errors = {row["name"]: [v["mean"] for v in row["values"]] for row in table["comparisons"][0]["rows"]}
    median = errors.pop("column median")
    assert all(wrong < median[0] and missing < median[1] for wrong, missing in errors.values())


def test_walkers_are_in_the_mask_and_the_path_is_not(shown):
    film = shown[1][2]["film"]
    assert 0.01 < np.mean(film["activity"]) < 0.04
    assert film["still"] and len(film["activity"]) == 200


def test_interrupted_demo_leaves_nothing(tmp_path):
    from robustae.lab.demo import run_demo

    def interrupt(said):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path / "out", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_other_files_is_refused_before_any_work(tmp_path):
    from robustae.lab.demo import run_demo

    (tmp_path / "thesis.txt").write_text("precious")
    said = []
    with pytest.raises(InputError, match=r"thesis\.txt"):
        run_demo(tmp_path, said.append)
    assert said == [] and (tmp_path / "thesis.txt").read_text() == "precious"


def test_contrast_lies_between_flicker_and_people(rng):
    from robustae.lab.demo.films import contrast

    flicker, people = np.abs(rng.normal(0, 2, 9500)), np.abs(rng.normal(80, 10, 500))
    assert flicker.max() < contrast(np.concatenate([flicker, people])) < people.min()


def test_restaurant_is_separated_where_it_is_there(data_home):
    from robustae.lab.demo.films import film_parts

    if not (data_home / "restaurant/restaurant_200.npz").is_file():
        pytest.skip("needs restaurant/restaurant_200.npz under ROBUSTAE_DATA")
    parts = film_parts(lambda said: None)
    assert [part["line"].split(":")[0] for part in parts] == ["walkway", "restaurant"]
    # About 13 % of the pixels of these frames are people.
    assert 0.09 < np.mean(parts[1]["film"]["activity"]) < 0.17
