"""The blocks of a table's section as HTML; table.js draws the cell map and moves lambda and the threshold."""

from html import escape
from typing import Any

from robustae.report.charts import histogram, number
from robustae.report.parts import bar, grid, headed, mark, percent, slider, value

__all__ = ["table"]

Facts = dict[str, Any]

PLURALS = {
    "number": "numbers",
    "boolean": "booleans",
    "category": "categories",
    "date": "dates",
    "text": "texts",
}
LISTED = 12  # columns told at once; the others fold out
TOLD = 10  # rows told at once
STRONGEST = 8  # deviations from which a cell is not coloured stronger
LABELLED = 60  # columns of the cell map that have room for their names


def table(facts: Facts) -> str:
    """All blocks of a table: what was read, scores, worst rows, their cells, the cell map, columns."""
    blocks = (_sources, _threshold, _top, _cells, _map, _columns)
    return "".join(block(facts) for block in blocks)


# What was read ----------------------------------------------------------------------------------


def _sources(facts: Facts) -> str:
    found = facts["sources"]
    kinds = "".join(
        f'<span class="kind"><b>{number(count)}</b> {kind if count == 1 else PLURALS[kind]}</span>'
        for kind, count in found["kinds"].items()
    )
    left_out = _reasons("Left out", found["left_out"])
    body = f'<p class="kinds">{kinds}</p>{left_out}{_reasons("Taken as missing", found["slips"])}'
    return headed("What was read", body)


def _reasons(title: str, reasons: dict[str, str]) -> str:
    if not reasons:
        return ""
    rows = [f"<li><b>{escape(name)}</b> {escape(why)}</li>" for name, why in reasons.items()]
    more = len(rows) - LISTED
    rest = f"<details><summary>{more} more</summary><ul>{''.join(rows[LISTED:])}</ul></details>"
    return f'<div class="reasons">{title}: <ul>{"".join(rows[:LISTED])}</ul>{rest if more > 0 else ""}</div>'


# Scores and threshold ---------------------------------------------------------------------------


def _threshold(facts: Facts) -> str:
    text = (
        "Higher is more anomalous; orange rows lie above the threshold (dashed) and are called anomalies. "
        "Move it, and the marks below and the rows to download follow."
    )
    control = (
        '<div class="slider"><label>anomalous <input type="range" class="cut" min="0" max="1000" step="any" '
        'aria-label="rows called anomalous"></label><output class="cut-said"></output></div>'
        '<div class="buttons"><button type="button" class="cut-fitted">fitted threshold</button>'
        '<button type="button" class="save"></button><span class="save-said say"></span></div>'
    )
    body = f'<div class="scores"><div>{histogram(facts["scores"])}</div><div>{control}</div></div>'
    return headed("Scores", body, text)


# The most anomalous rows ------------------------------------------------------------------------


def _top(facts: Facts) -> str:
    rows = [
        [_named(facts, i), mark(top), number(top["energy"]), "<br>".join(map(_cause, cells)) or "–"]
        for i, (top, cells) in enumerate(zip(facts["top"], facts["causes"], strict=True))
    ]
    text = (
        f"With the flagged cells that weigh most in each: the value, what {_source(facts)} to expect, how "
        "many noise deviations lie between, and the cell's share in what is odd about the row. "
        "A dash says that no single cell is far off: the row is unusual as a whole. Rows are counted from 0."
    )
    return headed("Most anomalous rows", _folded(["row", "", "score", "because of"], rows, TOLD), text, "top")


def _source(facts: Facts) -> str:
    """What expectations come from: a constant predictor knows the column alone."""
    return "the rest of the row leads" if facts["by_others"] else "the column as a whole leads"


def _folded(heads: list[str], rows: list[list[str]], at_once: int, noun: str = "rows") -> str:
    """A plain table, of which all but the first rows fold out."""
    drawn, rest = grid(heads, rows[:at_once]), len(rows) - at_once
    if rest <= 0:
        return drawn
    return f"{drawn}<details><summary>{rest} more {noun}</summary>{grid(heads, rows[at_once:])}</details>"


def _named(facts: Facts, i: int) -> str:
    label = facts["labels"][i]
    row = f"{facts['top'][i]['row']}"
    return f'{row} <span class="label" title="{escape(label)}">{escape(label)}</span>' if label else row


def _cause(cell: Facts) -> str:
    weight = f"{number(abs(cell['deviations']), 2)} deviations, {percent(cell['share'])})"
    name = f"column {cell['column']}" if cell["column"].isdigit() else escape(cell["column"])
    observed, expected = value(cell["observed"]), _expected(cell["expected"])
    return (
        f'<span class="cause"><b>{name}</b> {observed}, expected {expected} <small>({weight}</small></span>'
    )


def _expected(cell: Any) -> str:
    if not isinstance(cell, float):
        return value(cell)
    said = number(cell, 4)
    return said if "e" in said or "." not in said else said.rstrip("0").rstrip(".")


def _cells(facts: Facts) -> str:
    cells = facts["map"]
    shown, all_of_them = len(cells["columns"]), cells["of_columns"]
    some = "" if shown == all_of_them else f" Of {all_of_them} columns the {shown} that deviate most."
    dots = " A dot marks cells where N ≠ 0 as chosen below." if facts["slider"] or facts["trim"] else ""
    text = (
        f"The same rows, cell by cell: red where the value is above what {_source(facts)} to expect, "
        "or a category's value is unlikely, blue where below, stronger with the number of noise deviations. "
        f"A frame marks flagged cells, hatching missing ones.{dots} Point at a cell for more.{some}"
    )
    heads = "".join(f"<th><span>{escape(name)}</span></th>" for name in cells["columns"])
    rows = "".join(_map_row(facts, i) for i in range(len(cells["rows"])))
    head = f"<thead><tr><th>row</th>{heads}</tr></thead>"
    drawn = f'<div class="wide"><table class="map">{head}<tbody>{rows}</tbody></table></div>'
    return headed("Their cells", drawn + slider(facts) + _trim(facts), text)


def _map_row(facts: Facts, i: int) -> str:
    cells = facts["map"]
    columns = zip(cells["deviations"][i], cells["observed"][i], cells["flagged"][i], strict=True)
    drawn = (_map_cell(*cell, f'data-i="{i}" data-j="{j}"') for j, cell in enumerate(columns))
    return f"<tr><th>{_named(facts, i)}</th>{''.join(drawn)}</tr>"


def _map_cell(deviations: float, observed: Any, flagged: bool, place: str) -> str:
    if observed is None:
        return f'<td class="missing" {place}></td>'
    style = f"{'above' if deviations > 0 else 'below'}{' flagged' if flagged else ''}"
    tone = min(abs(deviations) / STRONGEST, 1.0)
    return f'<td class="{style}" style="--s:{tone:.2f}" {place}>{value(observed)}</td>'


def _trim(facts: Facts) -> str:
    if not facts["trim"]:
        return ""
    return (
        '<div class="slider"><label>rows set aside <input type="range" class="trim" min="0" max="100" '
        'aria-label="share of the rows set aside"></label><output class="trim-said"></output>'
        '<button type="button" class="trim-fitted">fitted share</button></div>'
        '<p class="say">Rows set aside in the fit are outlying whole: all of their residual is N.</p>'
    )


# The cell map -----------------------------------------------------------------------------------

LEGEND = (
    '<p class="legend"><i class="key above"></i>above expectation, or unlikely '
    '<i class="key below"></i>below <i class="key calm"></i>as expected <i class="key gone"></i>missing</p>'
)


def _map(facts: Facts) -> str:
    cells = facts["cells"]
    rows, columns = cells["row_step"], cells["column_step"]
    blocks = " × ".join(f"{step} {noun}" for step, noun in ((rows, "rows"), (columns, "columns")) if step > 1)
    grouped = f" One block is {blocks}, the stronger the more of its cells are flagged." if blocks else ""
    text = (
        "The whole table, rows down and columns across: flagged cells in red or blue, stronger with the "
        f"number of noise deviations.{grouped}"
    )
    first = "score" if rows > 1 else "file"  # blocks of rows in any order would all look alike
    options = "".join(
        f'<option value="{order}"{" selected" if order == first else ""}>the {order}</option>'
        for order in ("file", "score")
    )
    order = f'<label class="order">rows in the order of <select>{options}</select></label>'
    across, least = _across(cells["names"])
    drawn = (
        f'<div class="wide"><div class="cells" style="min-width:{least}em">{across}<div class="down"></div>'
        '<canvas role="img" aria-label="cell map"></canvas></div></div>'
    )
    return headed("Cell map", f'<div class="above-map">{LEGEND}{order}</div>{drawn}', text)


def _across(names: list[str]) -> tuple[str, int]:
    """Names over the map, of wide tables one in so many, and the width in em that they need."""
    step = -(-len(names) // LABELLED)
    drawn = (
        f'<div style="flex-grow:{len(names[j : j + step])}"><span>{escape(names[j])}</span></div>'
        for j in range(0, len(names), step)
    )
    return f'<div class="across">{"".join(drawn)}</div>', max(16, round(1.1 * len(names) / step))


# Columns ----------------------------------------------------------------------------------------


def _columns(facts: Facts) -> str:
    most = max((column["flagged"] for column in facts["columns"]), default=0) or 1.0
    rows = [_column(column, most) for column in facts["columns"]]
    heads = ["column", "kind", "cells flagged", "typical residual", "missing"]
    text = (
        "How often a column holds a flagged cell, and how far its values usually lie from what is expected: "
        "in the column's own unit (days for dates), and as a share of how far they lie from their median. "
        "Near 100\u00a0%, the other columns say nothing of it. For categories: how often the value is not "
        "the likeliest one."
    )
    return headed("Columns", _folded(heads, rows, LISTED, "columns"), text, "columns")


def _column(column: Facts, most: float) -> list[str]:
    return [
        escape(column["name"]),
        escape(column["kind"]),
        percent(column["flagged"]) + bar(column["flagged"] / most),
        _residual(column),
        percent(column["missing"]) if column["missing"] else "–",
    ]


def _residual(column: Facts) -> str:
    if column["differs"] is not None:
        return f"{percent(column['differs'])} <small>differ</small>"
    share = column["unexplained"]
    said = "" if share is None else f" <small>{percent(share)} of the spread</small>"
    return number(column["residual_scale"]) + said
