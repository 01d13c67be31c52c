"""Parts of a section as HTML, each drawn from its facts; what moves is finished by page.js."""

from html import escape
from typing import Any

from robustae.report.charts import activity, histogram, number, training
from robustae.report.parts import bar, grid, headed, label, mark, percent, slider
from robustae.report.table_blocks import table

__all__ = ["section"]

Facts = dict[str, Any]

UNITS = {"table": ("rows", "columns"), "images": ("images", "pixels"), "film": ("frames", "pixels")}


def section(facts: Facts, index: int) -> str:
    """One section of the page: heading, numbers, comparison, pictures or cells, scores, settings."""
    detail = {"table": table, "images": _images, "film": _film}.get(facts.get("kind", ""), lambda facts: "")
    parts = [
        f"<h2>{escape(facts['title'])}</h2>",
        f'<p class="lead">{escape(facts.get("lead", ""))}</p>',
        _tiles([*facts.get("numbers", []), *_basics(facts)]),
        *map(_comparison, facts.get("comparisons", [])),
        detail(facts),
        _curves(facts),
        _settings(facts),
    ]
    place = f'id="part-{index}" data-part="{index}" data-kind="{facts.get("kind", "")}"'
    return f"<section {place}>{''.join(parts)}</section>"


def _tiles(numbers: list[Facts]) -> str:
    """Headline numbers: each a dict of label, value and, where wanted, note."""
    drawn = (
        f'<div class="tile" data-name="{tile.get("name", "")}"><span>{escape(tile["label"])}</span>'
        f"<b>{number(tile['value'])}</b><small>{escape(tile.get('note', ''))}</small></div>"
        for tile in numbers
    )
    return f'<div class="tiles">{"".join(drawn)}</div>'


def _basics(facts: Facts) -> list[Facts]:
    """What was read and what was found, for a section about a model."""
    if "read" not in facts:
        return []
    read, scores = facts["read"], facts["scores"]
    missing = f"{percent(read['missing_share'])} missing" if read["missing"] else "no cell missing"
    unit, parts = UNITS[facts["kind"]]
    size = f"{number(read['rows'])} × {number(read['columns'])}"
    share = f"{percent(scores['anomalies'] / scores['rows'])} of the {unit}"
    return [
        {"label": f"{unit} × {parts}", "value": size, "note": missing},
        {"label": f"anomalous {unit}", "value": scores["anomalies"], "note": share, "name": "anomalies"},
        *_flagged(facts),
    ]


def _flagged(facts: Facts) -> list[Facts]:
    if "flagged" not in facts:
        return []
    count, share = facts["flagged"]["count"], facts["flagged"]["share"]
    return [{"label": "flagged cells", "value": count, "note": f"{percent(share)} of the cells"}]


def _comparison(facts: Facts) -> str:
    """Methods side by side: `rows` of name and values, each a dict of mean and sd; best in bold.

    `better` is "high" or "low"; with `bars` a bar shows the mean as a share of 1.
    """
    pick = max if facts.get("better", "high") == "high" else min
    columns = zip(*(row["values"] for row in facts["rows"]), strict=True)
    best = [pick(value["mean"] for value in column) for column in columns]
    rows = [
        [escape(row["name"])]
        + [_value(v, v["mean"] == b, facts) for v, b in zip(row["values"], best, strict=True)]
        for row in facts["rows"]
    ]
    return headed(facts["title"], grid(["", *map(escape, facts["columns"])], rows), facts.get("text", ""))


def _value(value: Facts, best: bool, facts: Facts) -> str:
    text, sd = f"{value['mean']:.3f}", value.get("sd")
    text = f"<b>{text}</b>" if best else text
    spread = "" if sd is None else f" <small>± {sd:.3f}</small>"
    return text + spread + (bar(max(value["mean"], 0)) if facts.get("bars") else "")


# Images and films -------------------------------------------------------------------------------


def _canvases(names: dict[str, str]) -> str:
    return "".join(
        f'<figure><canvas class="{style}"></canvas><figcaption>{name}</figcaption></figure>'
        for style, name in names.items()
    )


def _images(facts: Facts) -> str:
    names = {"observed": "original", "expected": "reconstruction", "outliers": "outliers N"}
    cards = "".join(
        f'<div class="card" data-picture="{k}"><div class="three">{_canvases(names)}</div>'
        f"<p>row {top['row']}{label(top)} · score {number(top['energy'])} {mark(top)}</p></div>"
        for k, top in enumerate(facts["top"][: len(facts["pictures"]["rows"])])
    )
    text = "The most anomalous images: orange is brighter than expected, blue darker."
    return headed("Worst images", f'{slider(facts)}<div class="cards">{cards}</div>', text)


def _film(facts: Facts) -> str:
    names = {"observed": "original", "expected": "background", "outliers": "people (N)", "mask": "mask"}
    last = len(facts["film"]["frames"]) - 1
    control = (
        '<div class="slider"><button type="button" class="play" aria-label="play">▶</button>'
        f'<label>frame <input type="range" class="frame" min="0" max="{last}" value="0" aria-label="frame">'
        '</label><output class="frame-said"></output></div>'
    )
    cut = facts["film"]["cut"]
    mask = "the model flags" if cut is None else f"differ from the background by more than {number(cut)}"
    text = (
        "Background is what the model expects; N is what stands out of it, orange where brighter, blue where "
        f"darker; the mask holds the pixels that {mask}, whatever λ is. Click on the curve to go to a frame."
    )
    curve = f'<div class="activity">{activity(facts["film"]["activity"])}</div>'
    controls = f'<div class="controls"><div>{control}{curve}</div><div>{slider(facts)}</div></div>'
    return headed("Frame by frame", f'<div class="four">{_canvases(names)}</div>{controls}', text)


# What every section ends with -------------------------------------------------------------------


def _curves(facts: Facts) -> str:
    drawn = ""
    if "scores" in facts and "threshold" not in facts:  # else the scores stand above, with the slider
        text = "Higher is more anomalous; orange rows are above the threshold (dashed) and called anomalies."
        drawn += headed("Scores", histogram(facts["scores"]), text)
    if len(facts.get("training") or []) > 1:
        drawn += headed("Training", training(facts["training"]), facts["model"]["status"])
    return f'<div class="pair">{drawn}</div>' if drawn else ""


FITTED = {
    "λ (scaled data)": "lam",
    "µ": "mu",
    "code width": "hidden",
    "objective J": "objective",
    "iterations": "n_iter",
}


def _settings(facts: Facts) -> str:
    if "model" not in facts:
        return ""
    model = facts["model"]
    rows = [[name, "∞" if model[key] is None else number(model[key])] for name, key in FITTED.items()]
    rows += [[escape(name), f"<code>{escape(value)}</code>"] for name, value in model["set"].items()]
    said = f"Settings and fitted values of {escape(model['name'])}"
    return f"<details><summary>{said}</summary>{grid(['', ''], rows)}</details>"
