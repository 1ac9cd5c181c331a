"""`cosimo` and `python -m cosimo` are the command line; the door here listens for Ctrl-C before anything else is imported."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C in its first tenth of a second, while modules load, is a plain exit code too."""
    try:
        from .interfaces.cli import main as start

        start()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
