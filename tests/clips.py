"""What tests of clips share: pictures that are easy to tell apart, and how a refusal is read."""

import numpy as np
import pytest

from robustae.checks import InputError
from robustae.sources.frames import open_clip

HEIGHT, WIDTH = 48, 64


def gradient(number, height=HEIGHT, width=WIDTH):
    """A picture without symmetry, brighter from frame to frame."""
    down, across = np.mgrid[:height, :width]
    red, blue = 200 * across // width, 200 * down // height
    return np.stack([red, np.full_like(red, 4 * number % 200), blue], axis=-1).astype(np.uint8)


def pictures(count, height=HEIGHT, width=WIDTH):
    return np.stack([gradient(number, height, width) for number in range(count)])


def all_of(clip, size=7):
    return np.concatenate(list(clip.batches(size)))


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        open_clip(*arguments, **options)
    return one_sentence(caught)


def one_sentence(caught):
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message
