"""The application tree under one name, whichever folder it lives in.

`TREE` names a folder of the same shape as `solutions/`; its modules are imported as `app.shared…`, `app.on_rq…`.
A job that one tree put on the broker can therefore be run by another, because both call it by the same path.
"""

import os
from pathlib import Path

_tree = Path(os.environ.get("TREE", "solutions")).resolve()
if not (_tree / "__main__.py").is_file():
    raise ImportError(
        f"TREE names {_tree}, which holds no application (no __main__.py there). "
        "Run from the repository's root, or set TREE to a tree such as 'solutions'."
    )
__path__ = [str(_tree)]
