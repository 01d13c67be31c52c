"""`python -m robustae` is the command line."""

from robustae.cli import main

if __name__ == "__main__":
    main()
