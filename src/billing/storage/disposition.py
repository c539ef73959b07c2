"""The header that makes a browser save a download under a name."""

import re
from urllib.parse import quote


def attachment(filename: str) -> str:
    """Content-Disposition for any filename: an ASCII form for old clients, the true one beside it (RFC
    6266).
    """
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
