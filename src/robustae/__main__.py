"""The program `robustae`, also `python -m robustae`: the command line, which takes a moment to import."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; called off before it is there, it ends in a sentence, too."""
    try:
        from robustae.cli import main as run
    except KeyboardInterrupt:
        print("Interrupted: nothing was written.", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
