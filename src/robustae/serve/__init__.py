"""A fitted model served over HTTP: Open Inference Protocol V2, Arrow streams and CSV."""

from robustae.checks import need

need("serve", "fastapi", "robustae.serve")

from robustae.serve.app import create_app  # noqa: E402
from robustae.serve.limits import Limits  # noqa: E402
from robustae.serve.run import serve  # noqa: E402

__all__ = ["Limits", "create_app", "serve"]
