"""Make src/robustae/datasets/data/walkway.npz, the clip that the demo separates, from walkway_200.mp4.

Source: samples/data/vtest.avi of the OpenCV repository (Apache License 2.0), 795 frames of 768 x 576
at 10 frames per second. walkway_200.mp4 holds its frames 0, 2, ..., 398 at 240 x 180 (H.264). Here
they become grey frames of 160 x 120 (area average), so that the demo needs no video library.

The file holds `changes`: uint8, shape (200, 120, 160); frame k is the sum of changes 0 to k modulo
256. Still pixels are runs of zeros, which halves the file. `fps` is 5.

    pip install av
    python tools/make_walkway.py walkway_200.mp4
"""

import sys
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH, FPS = 120, 160, 5
TARGET = Path(__file__).parents[1] / "src/robustae/datasets/data/walkway.npz"


def grey_frames(path: str) -> np.ndarray:
    """Decode a film as uint8 of shape (frames, HEIGHT, WIDTH)."""
    with av.open(path) as film:
        grey = [
            frame.reformat(width=WIDTH, height=HEIGHT, format="gray", interpolation="AREA").to_ndarray()
            for frame in film.decode(video=0)
        ]
    return np.stack(grey)


def main() -> None:
    frames = grey_frames(sys.argv[1])
    changes = np.diff(frames, axis=0, prepend=np.zeros_like(frames[:1]))
    np.savez_compressed(TARGET, changes=changes, fps=FPS)
    print(f"{TARGET}: {frames.shape}, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
