"""scikit-learn's digits as the paper uses USPS: all ones and a few sevens, the demo's own comparison."""

from benchmarks.measuring import write
from robustae.lab.demo.digits import DRAWS, digits_part


def run(runs: int) -> None:
    """Write digits.csv: mean ± standard deviation over the draws of the sevens (`runs` is not used)."""
    comparison = digits_part(print)["comparisons"][0]
    rows = []
    for row in comparison["rows"]:
        values = {
            name: f"{value['mean']:.3f} ± {value['sd']:.3f}"
            for name, value in zip(comparison["columns"], row["values"], strict=True)
        }
        rows.append({"method": row["name"], **values, "draws": DRAWS})
    write("digits", rows)
