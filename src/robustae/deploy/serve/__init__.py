"""A fitted model served over HTTP: Open Inference Protocol V2, Arrow streams and CSV."""

from robustae.utils.checks import need

need("serve", "fastapi", "robustae.deploy.serve")

from robustae.deploy.serve.app import create_app  # noqa: E402
from robustae.deploy.serve.limits import Limits  # noqa: E402
from robustae.deploy.serve.run import serve  # noqa: E402

__all__ = ["Limits", "create_app", "serve"]
