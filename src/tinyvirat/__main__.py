"""`python -m tinyvirat`, and `accelerate launch -m tinyvirat`, start the command line."""

import sys

from tinyvirat.cli import main

if __name__ == "__main__":
    sys.exit(main())
