"""`python -m evaluation.injection`."""

import sys

from evaluation.injection.command import main

if __name__ == "__main__":
    sys.exit(main())
