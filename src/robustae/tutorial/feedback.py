"""What a check answers: right, not yet or still blank, in words, shown by a notebook as it is."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["Feedback"]

STAND_IN = "Until it is right, the lesson goes on with ours, so that you can read on."
BLANK = f"Write your answer in its place and run its cell again, then this one. {STAND_IN}"
COLOURS = {"right": "#2a8f5b", "not yet": "#d9591a", "still blank": "#7d8894"}


@dataclass(frozen=True)
class Feedback:
    """The answer of a check.

    Attributes
    ----------
    title : str
        The exercise.
    verdict : {"right", "not yet", "still blank"}
    messages : tuple of str
        What is wrong, a sentence or two for each mistake; remarks where all is right.
    function : callable
        To go on with: the learner's own where it is right and, being a loss, can be trained with
        torch; else ours.
    """

    title: str
    verdict: str
    messages: tuple[str, ...]
    function: Callable[..., Any]

    @property
    def ok(self) -> bool:
        """Whether the function is right."""
        return self.verdict == "right"

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        head = f"{self.title}: {self.verdict}."
        return "\n".join([head, *(f"  - {sentence}" for sentence in self._sentences())])

    __repr__ = __str__

    def _sentences(self) -> tuple[str, ...]:
        endings = {"right": (), "not yet": (STAND_IN,), "still blank": (BLANK,)}
        return (*self.messages, *endings[self.verdict])

    def _repr_markdown_(self) -> str:
        head = f"**{self.title}: {self.verdict}.**\n"
        return "\n".join([head, *(f"- {escape(sentence)}" for sentence in self._sentences())])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self._sentences())
        style = f"border-left:4px solid {COLOURS[self.verdict]};padding:2px 14px"
        return f'<div style="{style}"><b>{escape(self.title)}: {self.verdict}.</b><ul>{items}</ul></div>'
