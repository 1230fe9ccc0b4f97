"""Python imports this first while the tests run in its development mode: see conftest.py.

In that mode asyncio reports every step of more than a tenth of a second, which on a busy
machine any step may take.
"""

import logging

logging.getLogger('asyncio').setLevel(logging.ERROR)
