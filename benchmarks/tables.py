"""Write the measured tables of README and docs from the CSV files beside this script.

A table stands between ``<!-- table:NAME -->`` and ``<!-- /table -->`` and shows NAME.csv; words after
the name choose and order its columns. An empty table may wait for its CSV. ``--check`` changes nothing and
fails where a page is behind.
"""

import csv
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BLOCK = re.compile(r"(<!-- table:([\w-]+)((?: +\w+)*) -->\n).*?(<!-- /table -->)", re.DOTALL)


def pages() -> list[Path]:
    """Markdown files that may hold tables."""
    built = ROOT / "docs" / "_build"
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if built not in p.parents)]


def is_number(text: str) -> bool:
    """Whether a cell holds a number, perhaps with its deviation."""
    return re.fullmatch(r"[-+.\de]+( ± [-+.\de]+)?", text) is not None


def markdown(name: str, wanted: list[str]) -> str:
    """NAME.csv as a Markdown table; columns of numbers to the right."""
    source = HERE / f"{name}.csv"
    if not source.exists():
        sys.exit(f"benchmarks/{name}.csv is not there: measure it with `make bench NAMES={name}`")
    with open(source, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = wanted or list(rows[0])
    cells = [[row[column] for column in columns] for row in rows]
    sides = [
        "--:" if all(is_number(c) or not c for c in column) else ":--" for column in zip(*cells, strict=True)
    ]
    heads = [column.replace("_", " ") for column in columns]
    return "".join(f"| {' | '.join(line)} |\n" for line in [heads, sides, *cells])


def renewed(text: str) -> str:
    """The page with every table as its CSV has it."""
    return BLOCK.sub(lambda m: m[0] if waits(m) else f"{m[1]}\n{markdown(m[2], m[3].split())}\n{m[4]}", text)


def waits(block: re.Match[str]) -> bool:
    """Whether a table is still empty, and not measured yet."""
    return block[0] == block[1] + block[4] and not (HERE / f"{block[2]}.csv").exists()


def main(arguments: list[str]) -> int:
    behind = [page for page in pages() if renewed(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in behind:
        if "--check" in arguments:
            print(
                f"{page.relative_to(ROOT)}: tables differ from benchmarks/*.csv; run `make tables`",
                file=sys.stderr,
            )
        else:
            page.write_text(renewed(page.read_text("utf-8")), "utf-8")
            print(f"{page.relative_to(ROOT)}: tables written")
    return int(bool(behind) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
