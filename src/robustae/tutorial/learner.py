"""Calls a learner's function, NumPy or torch, and reports what goes wrong before any value is checked."""

import dis
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import Parameter, signature
from types import CodeType
from typing import Any

import numpy as np

__all__ = ["Blank", "LearnersFunction", "Wrong", "dimensions", "values_of"]

Case = Mapping[str, Any]

BLOCKED = (
    "The gradient is blocked: .detach(), .item(), .numpy(), float() or torch.no_grad() cuts the loss off "
    "from U, V and N, so that nothing could be trained. Compute with tensors all the way to the result."
)
IN_PLACE = (
    "It changes its input {name} in place: the caller's own array is spoilt afterwards. Work on a new "
    "one (a = a - b instead of a -= b, or a copy first)."
)
NAMELESS = (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
SHAPES = ("shape", "dimension", "broadcast", "matmul", "size of tensor")
NO_RETURN = "It returns nothing (None): is the line with return missing?"
NOTHING_DONE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP", "COPY_FREE_VARS"}


class Wrong(Exception):
    """Why an answer is not right, in a sentence."""


class Stopped(Wrong):
    """It raised an exception, which another library may not."""


class Blank(Exception):
    """The exercise has not been done yet."""


class LearnersFunction:
    """A learner's function, called by names or by places, with the library it is written for.

    Parameters
    ----------
    fn : callable
    arguments : tuple of str
        Their names, in the exercise's order.
    weights : tuple of str
        Which of them torch is to differentiate by.
    case : mapping of str to array or float
        What to find the library out with.

    Raises
    ------
    Blank
        If the function is not written yet.
    Wrong
        If it cannot be called so, or stops with an exception in either library.
    """

    def __init__(self, fn: Any, arguments: tuple[str, ...], weights: tuple[str, ...], case: Case) -> None:
        if fn is None or fn is ...:
            raise Blank
        if not callable(fn):
            raise Wrong(f"Hand over the function itself, without brackets behind it: {_kind(fn)} came.")
        self.fn, self.weights = fn, weights
        self.call = _calling(fn, arguments)
        self.library = self._library(case)

    def __call__(self, case: Case) -> Any:
        """What the function returns for a case given as arrays."""
        return self.on(self.tensors(case) if self.library == "torch" else dict(case))

    def on(self, case: Case) -> Any:
        """What the function returns for a case in its own library.

        Raises
        ------
        Blank, Wrong
        """
        before = {name: _copy(value) for name, value in case.items()}
        try:
            raw = self.call(case)
        except Exception as error:
            raise self._explained(error, case) from error
        for name, value in case.items():
            if not np.array_equal(values_of(value), values_of(before[name]), equal_nan=True):
                raise Wrong(IN_PLACE.format(name=name))
        return self._given(raw)

    def tensors(self, case: Case) -> dict[str, Any]:
        """The arrays of a case as tensors, to be differentiated by the weights."""
        torch = import_module("torch")
        made = {}
        for name, value in case.items():
            made[name] = value
            if isinstance(value, np.ndarray):
                tensor = torch.tensor(value, dtype=torch.get_default_dtype())
                made[name] = tensor.requires_grad_(name in self.weights)
        return made

    @property
    def library_name(self) -> str:
        """What it is called with, in words."""
        return "torch tensors" if self.library == "torch" else "NumPy arrays"

    def _library(self, case: Case) -> str:
        """The first one in which it runs; torch first only where its code speaks of torch."""
        messages = []
        for library in _libraries(self.fn):
            self.library = library
            try:
                found = self(case)
            except Stopped as stopped:
                messages.append(stopped)
            else:
                return "torch" if is_tensor(found) else library
        # That torch's functions refuse arrays is no news; what happens with tensors is.
        raise messages[-1] if "Tensor" in str(messages[0]) else messages[0]

    def _given(self, raw: Any) -> Any:
        if raw is ... or (raw is None and _does_nothing(self.fn)):
            raise Blank
        if raw is None:
            raise Wrong(NO_RETURN)
        return raw

    def _explained(self, error: Exception, case: Case) -> Exception:
        """The exception in a teacher's words."""
        text = str(error).strip()
        if isinstance(error, NotImplementedError) or "ellipsis" in text.lower():
            return Blank()
        if "in-place" in text:
            return Wrong(IN_PLACE.format(name=" or ".join(self.weights)))
        if "requires grad" in text and _speaks_of_torch(self.fn):
            return Wrong(BLOCKED)
        sentence = f"It stops with {type(error).__name__}{_colon(text)}{_line(error, self.fn)}."
        return Stopped(sentence + _shapes_if_it_helps(text, case))


def is_tensor(value: Any) -> bool:
    """Whether a value is torch's; torch is not imported to find out."""
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor)


def values_of(value: Any) -> np.ndarray:
    """Numbers as an array in float64, from NumPy, torch or lists of them.

    Raises
    ------
    Wrong
        If these are no numbers.
    """
    if is_tensor(value):
        return value.detach().cpu().numpy().astype(float)
    try:
        if isinstance(value, list | tuple) and any(map(is_tensor, value)):
            return np.array([values_of(each) for each in value])
        return np.asarray(value).astype(float)
    except (TypeError, ValueError):
        raise Wrong(f"It returns {_kind(value)}, where numbers are wanted.") from None


def dimensions(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    sides = " x ".join(map(str, shape))
    return f"of {sides} entries" if len(shape) == 1 else sides


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _copy(value: Any) -> Any:
    if is_tensor(value):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _calling(fn: Callable[..., Any], arguments: tuple[str, ...]) -> Callable[[Case], Any]:
    """By name where it has all these names, in whatever order, else by place."""
    try:
        form = signature(fn)
    except (TypeError, ValueError):
        return lambda case: fn(*case.values())
    by_name = set(arguments) <= {p.name for p in form.parameters.values() if p.kind not in NAMELESS}
    try:
        form.bind(**dict.fromkeys(arguments)) if by_name else form.bind(*arguments)
    except TypeError:
        wanted = ", ".join(arguments)
        raise Wrong(f"It must take ({wanted}); yours takes {form}.") from None
    return (lambda case: fn(**case)) if by_name else (lambda case: fn(*case.values()))


def _codes(code: CodeType | None) -> Iterator[CodeType]:
    """The code of a function and of the functions inside it."""
    if code is not None:
        yield code
        for constant in code.co_consts:
            yield from _codes(constant if isinstance(constant, CodeType) else None)


def _libraries(fn: Any) -> list[str]:
    if _speaks_of_torch(fn):
        return ["torch", "numpy"]
    return ["numpy", *(["torch"] if "torch" in sys.modules else [])]


def _speaks_of_torch(fn: Any) -> bool:
    around = getattr(fn, "__globals__", {})
    names = {name for code in _codes(getattr(fn, "__code__", None)) for name in code.co_names}
    return any(_home(around.get(name)).startswith("torch") for name in names) or "torch" in names


def _home(value: Any) -> str:
    """Where a value comes from: a module's name, or its own if it is one."""
    return str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))


def _does_nothing(fn: Any) -> bool:
    code = getattr(fn, "__code__", None)
    return code is not None and {step.opname for step in dis.get_instructions(code)} <= NOTHING_DONE


def _colon(text: str) -> str:
    return f": {' '.join(text.split()).rstrip('.')}" if text else ""


def _line(error: Exception, fn: Any) -> str:
    """Where in the learner's own code, as far as that can be known."""
    file = getattr(getattr(fn, "__code__", None), "co_filename", None)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f", in the line `{own[-1].line}`" if own and own[-1].line else ""


def _shapes_if_it_helps(text: str, case: Case) -> str:
    if not any(word in text.lower() for word in SHAPES):
        return ""
    shapes = [f"{name} is {dimensions(v.shape)}" for name, v in case.items() if hasattr(v, "shape")]
    return f" Here {', '.join(shapes)}: do the factors of a product stand in that order?"
