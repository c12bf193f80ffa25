"""`python -m darnerpy` is `darnerpy`."""

import sys

from .cli.main import main

sys.exit(main())
