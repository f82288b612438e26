"""`python -m tinyvirat`, and `accelerate launch -m tinyvirat` for several processes."""

import sys

from tinyvirat.cli import main

sys.exit(main())
