"""Parts of a section as HTML, each drawn from its facts; what moves is finished by page.js."""

from html import escape
from typing import Any

from robustae.report.charts import activity, histogram, number, training

__all__ = ["section"]

Facts = dict[str, Any]

SLIDER_HELP = (
    "N = soft(R, λ/2): the part of a residual beyond λ/2 is outlier, the rest noise. With a small λ all that "
    "is not explained is outlier; with a large one nothing is, as in a plain autoencoder. The page "
    "recomputes N; the fit stays."
)
UNITS = {"table": ("rows", "columns"), "images": ("images", "pixels"), "film": ("frames", "pixels")}


def section(facts: Facts, index: int) -> str:
    """One section of the page: heading, numbers, comparison, pictures or cells, scores, settings."""
    detail = {"table": _table, "images": _images, "film": _film}.get(facts.get("kind", ""), lambda facts: "")
    parts = [
        f"<h2>{escape(facts['title'])}</h2>",
        f'<p class="lead">{escape(facts.get("lead", ""))}</p>',
        _tiles([*facts.get("numbers", []), *_basics(facts)]),
        *map(_comparison, facts.get("comparisons", [])),
        detail(facts),
        _curves(facts),
        _settings(facts),
    ]
    return f'<section id="part-{index}" data-part="{index}">{"".join(parts)}</section>'


def _headed(title: str, body: str, text: str = "", style: str = "") -> str:
    said = f'<p class="say">{escape(text)}</p>' if text else ""
    return f'<div class="block {style}"><h3>{escape(title)}</h3>{said}{body}</div>'


def _tiles(numbers: list[Facts]) -> str:
    """Headline numbers: each a dict of label, value and, where wanted, note."""
    drawn = (
        f'<div class="tile"><span>{escape(tile["label"])}</span><b>{number(tile["value"])}</b>'
        f"<small>{escape(tile.get('note', ''))}</small></div>"
        for tile in numbers
    )
    return f'<div class="tiles">{"".join(drawn)}</div>'


def _basics(facts: Facts) -> list[Facts]:
    """What was read and what was found, for a section about a model."""
    if "read" not in facts:
        return []
    read, scores = facts["read"], facts["scores"]
    missing = f"{_percent(read['missing_share'])} missing" if read["missing"] else "no cell missing"
    unit, parts = UNITS[facts["kind"]]
    size = f"{number(read['rows'])} × {number(read['columns'])}"
    share = f"{_percent(scores['anomalies'] / scores['rows'])} of the {unit}"
    return [
        {"label": f"{unit} × {parts}", "value": size, "note": missing},
        {"label": f"anomalous {unit}", "value": scores["anomalies"], "note": share},
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _grid(heads: list[str], rows: list[list[str]]) -> str:
    """A plain table of ready HTML; the first cell names the row."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        f"<tr><th>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


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
    grid = _grid(["", *map(escape, facts["columns"])], rows)
    return _headed(facts["title"], grid, facts.get("text", ""))


def _value(value: Facts, best: bool, facts: Facts) -> str:
    text, sd = f"{value['mean']:.3f}", value.get("sd")
    text = f"<b>{text}</b>" if best else text
    spread = "" if sd is None else f" <small>± {sd:.3f}</small>"
    return text + spread + (_bar(max(value["mean"], 0)) if facts.get("bars") else "")


def _bar(share: float) -> str:
    return f'<i class="bar" style="--share:{share:.3f}"></i>'


# Tables -----------------------------------------------------------------------------------------


def _table(facts: Facts) -> str:
    return _cell_map(facts) + _top(facts) + _columns(facts["columns"])


def _cell_map(facts: Facts) -> str:
    cells = facts["map"]
    heads = "".join(f'<th class="tall"><span>{escape(name)}</span></th>' for name in cells["columns"])
    rows = "".join(_map_row(cells, i) for i in range(len(cells["rows"])))
    shown, all_of_them = len(cells["columns"]), cells["of_columns"]
    some = "" if shown == all_of_them else f" Of {all_of_them} columns the {shown} that deviate most."
    dots = ", a dot cells where N ≠ 0 at the λ chosen below" if facts["slider"] else ""
    text = (
        "The most anomalous rows, cell by cell: orange where the value is above what the rest of the row "
        "leads to expect, blue where below, stronger with the number of noise deviations; a frame marks "
        f"flagged cells, hatching missing ones{dots}. Point at a cell for its values.{some}"
    )
    head = f"<thead><tr><th>row</th>{heads}</tr></thead>"
    grid = f'<div class="wide"><table class="map">{head}<tbody>{rows}</tbody></table></div>'
    return _headed("Which cells", grid + _slider(facts), text)


def _map_row(cells: Facts, i: int) -> str:
    columns = zip(cells["deviations"][i], cells["observed"][i], cells["flagged"][i], strict=True)
    drawn = (_map_cell(*cell, f'data-i="{i}" data-j="{j}"') for j, cell in enumerate(columns))
    return f"<tr><th>{cells['rows'][i]}</th>{''.join(drawn)}</tr>"


def _map_cell(deviations: float, observed: float | None, flagged: bool, place: str) -> str:
    if observed is None:
        return f'<td class="missing" {place}></td>'
    style = f"{'above' if deviations > 0 else 'below'}{' flagged' if flagged else ''}"
    return f'<td class="{style}" style="--s:{min(abs(deviations) / 8, 1.0):.2f}" {place}></td>'


def _slider(facts: Facts) -> str:
    if not facts.get("slider"):
        return ""
    return (
        '<div class="slider"><label>λ <input type="range" class="lam" min="0" max="1000" step="any" '
        'aria-label="lambda"></label><output class="lam-said"></output>'
        '<button type="button" class="fitted">fitted λ</button></div>'
        f'<p class="say">{SLIDER_HELP}</p>'
    )


def _top(facts: Facts) -> str:
    causes = ["<br>".join(map(_cause, cells)) or "–" for cells in facts["causes"]]
    rows = [
        [f"{top['row']}{_label(top)}", _mark(top), number(top["energy"]), cause]
        for top, cause in zip(facts["top"], causes, strict=True)
    ]
    text = "The cells that weigh most in each row's score, largest first. Rows are counted from 0."
    grid = _grid(["row", "", "score", "because of"], rows)
    return _headed("Most anomalous rows", grid, text, "top")


def _mark(top: Facts) -> str:
    style, said = ("chip", "anomalous") if top["anomalous"] else ("chip calm", "normal")
    return f'<span class="{style}">{said}</span>'


def _label(top: Facts) -> str:
    return f", {escape(top['label'])}" if "label" in top else ""


def _cause(cell: Facts) -> str:
    weight = f"{number(abs(cell['deviations']), 2)} deviations, {_percent(cell['share'])} of the score"
    values = f"{number(cell['observed'])}, expected {number(cell['expected'])}"
    name = f"column {cell['column']}" if cell["column"].isdigit() else escape(cell["column"])
    return f'<span class="cause"><b>{name}</b> {values} <small>({weight})</small></span>'


def _columns(columns: list[Facts], at_most: int = 12) -> str:
    most = max(column["flagged"] for column in columns) or 1.0
    rows = [
        [
            escape(column["name"]),
            _percent(column["flagged"]) + _bar(column["flagged"] / most),
            number(column["residual_scale"]),
            _percent(column["missing"]) if column["missing"] else "–",
        ]
        for column in columns
    ]
    heads = ["column", "cells flagged", "typical residual", "missing"]
    grid, rest = _grid(heads, rows[:at_most]), len(rows) - at_most
    if rest > 0:
        grid += f"<details><summary>{rest} more columns</summary>{_grid(heads, rows[at_most:])}</details>"
    text = (
        "How often a column holds a flagged cell, and how far its values usually lie from what is expected, "
        "in the column's own unit."
    )
    return _headed("Columns", grid, text)


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
        f"<p>row {top['row']}{_label(top)} · score {number(top['energy'])} {_mark(top)}</p></div>"
        for k, top in enumerate(facts["top"][: len(facts["pictures"]["rows"])])
    )
    text = "The most anomalous images: orange is brighter than expected, blue darker."
    return _headed("Worst images", f'{_slider(facts)}<div class="cards">{cards}</div>', text)


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
    controls = f'<div class="controls"><div>{control}{curve}</div><div>{_slider(facts)}</div></div>'
    return _headed("Frame by frame", f'<div class="four">{_canvases(names)}</div>{controls}', text)


# What every section ends with -------------------------------------------------------------------


def _curves(facts: Facts) -> str:
    drawn = ""
    if "scores" in facts:
        text = "Higher is more anomalous; orange rows are above the threshold (dashed) and called anomalies."
        drawn += _headed("Scores", histogram(facts["scores"]), text)
    if len(facts.get("training") or []) > 1:
        drawn += _headed("Training", training(facts["training"]), facts["model"]["status"])
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
    return f"<details><summary>{said}</summary>{_grid(['', ''], rows)}</details>"
