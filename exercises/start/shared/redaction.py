"""Takes personal data and secrets out of what is logged, parked or printed. Pure functions; ids pass unharmed.

Three layers, because none is enough alone: a value under a telling key is dropped whole (`email`, `token`, `name`),
what has a form of its own is found in any text (e-mail, IBAN, card, phone, bearer token, signature), and an
exception that isn't ours loses the values that its library quotes. A person's name in free text has no form: write
ids into messages, and let names stay under their keys.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

GONE = "[redacted]"
LONGEST = 2000
DEEPEST = 6

# A key is telling if one of its words is, or the whole of it is.
# fmt: off
_WORDS = frozenset((
    "email", "mail", "iban", "bic", "token", "secret", "password", "passwd", "passphrase", "authorization",
    "cookie", "address", "phone", "mobile", "signature", "card", "cvc", "pan", "apikey", "credential",
    "credentials", "dsn",
))
_WHOLE = frozenset((
    "name", "first_name", "last_name", "full_name", "holder", "holder_name", "customer", "customer_name", "payee",
    "recipient", "cc", "bcc", "subject", "body", "payload", "tax_id", "vat", "api_key", "private_key", "street",
    "city", "birthday", "database_url", "redis_url",
))
# fmt: on
_HARMLESS = frozenset({"fencing_token", "token_type"})
_IDS = frozenset({"id", "job_id", "parent_id", "report_id", "trace_id", "span_id", "traceparent"})
_ID = re.compile(r"[0-9A-Fa-f-]{16,64}")
_WORD = re.compile(r"[A-Za-z][a-z]*|[A-Z]+(?![a-z])")

# Ids come first in the alternation: where one of them matches, nothing later gets to look at it.
_KEEP = (
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # traceparent
    r"|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # uuid
    r"|[0-9a-f]{64}|[0-9a-f]{32}"  # digest; trace id, or a uuid without its hyphens
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)(?![0-9A-Za-z])"
)
_PARTS = (
    ("keep", _KEEP),
    ("login", r"(?<=://)[^\s/@:]*:[^\s/@]*(?=@)"),  # user:password@ of a URL
    (
        "query",
        r"(?i:(?<=[?&;])(?P<key>[\w.~-]*(?:signature|sig|token|secret|credential|password|api_?key)[\w.~-]*)=)[^&\s\"'<>]+",
    ),
    ("bearer", r"(?i:\b(?P<scheme>bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    ("prefixed", r"(?<![0-9A-Za-z])(?:whsec_[A-Za-z0-9+/=]+|(?:tok|[spr]k)_[A-Za-z0-9_-]{16,})"),
    ("pair", r"(?i:\b(?P<label>password|passwd|secret|secret_key|token|api_?key)[\"']?\s*[=:]\s*[\"']?)[^\s,;&\"'}]+"),
    (
        "field",
        r"(?P<before>[\"'](?:(?:first_|last_|full_|holder_|customer_)?name|address|street|city|phone|tax_id|holder|subject"
        r"|body)[\"']\s*:\s*)(?:\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?)",
    ),
    ("email", r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"),
    ("iban", r"(?<![0-9A-Za-z])[A-Za-z]{2}\d\d(?:[ -]?[0-9A-Za-z]{4}){2,7}(?:[ -]?[0-9A-Za-z]{1,4})?(?![0-9A-Za-z])"),
    ("vat", r"(?<![0-9A-Za-z-])[A-Z]{2}\d{8,12}(?![0-9A-Za-z-])"),
    ("card", r"(?<![0-9A-Za-z.-])[2-6](?:[ -]?\d){12,18}(?![0-9A-Za-z-])"),
    (
        "phone",
        r"(?<![0-9A-Za-z+])(?:\+[1-9]\d{0,2}[ ./()-]{0,2}|00[1-9]\d{0,2}[ /-])"
        r"\d(?:[ ./()-]{0,2}\d){5,12}(?![0-9A-Za-z])",
    ),
    (
        "local",
        r"(?<![0-9A-Za-z.:/-])(?:\(0?\d{2,4}\) ?\d{3,4}(?:[ -]?\d{2,4}){1,2}"
        r"|0\d{2,4}[ /-]\d{3,4}(?:[ -]?\d{2,4}){1,2}|\d{3}-\d{3}-\d{4})(?![0-9A-Za-z-])",
    ),
)
_PATTERN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PARTS))
# Most texts hold none of what any part needs; this is many times cheaper than asking each part.
_WORTH_A_LOOK = re.compile(
    r"[@?]|\d[\d .()/-]{5}|[\"']\s*:|(?i:bearer|basic|whsec|tok_|k_|pass|secret|token|key|[a-z]{2}\d\d)"
)


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `event`, whatever is nested in it, without personal data and secrets. Keys stay, texts are cut at
    LONGEST characters, deeper than DEEPEST is left out."""
    return {str(key): _value(str(key), value, DEEPEST) for key, value in event.items()}


def redact_text(text: str) -> str:
    """`text` with each finding replaced by `[redacted]`."""
    if not _WORTH_A_LOOK.search(text):
        return text
    return _PATTERN.sub(_replace, text)


def redact_error(error: BaseException | str) -> str:
    """An exception's message for logs and dead letters: also without the values that libraries quote in theirs."""
    text = (error if isinstance(error, str) else str(error))[: 10 * LONGEST]
    for pattern, instead in _QUOTED:
        text = pattern.sub(instead, text)
    return redact_text(text)[:LONGEST]


def redact_raw(raw: bytes, most: int = 200) -> str:
    """The printable beginning of bytes that nobody could decode, at most `most` characters. Where they come from is
    unknown, so words that could be names (a capital, or a letter beyond ASCII) are masked as well."""
    shown = "".join(c if c.isprintable() else "·" for c in raw[: 4 * most].decode("utf-8", "replace"))
    return _NAMELIKE.sub("…", redact_text(shown))[:most]


@lru_cache(maxsize=4096)
def is_telling(key: str) -> bool:
    """Whether values under this key are dropped without a look at them."""
    lower = key.lower().replace("-", "_")
    if lower in _HARMLESS:
        return False
    if lower in _WHOLE:
        return True
    return not _WORDS.isdisjoint(word.lower() for word in _WORD.findall(key))


_NAMELIKE = re.compile(r"(?<![\w.])(?!redacted\b)(?:[A-Z]\w*|\w*[^\W\d_a-zA-Z]\w*)")
_QUOTED = (
    # SQLAlchemy's statement with its bound values, Postgres' DETAIL, pydantic's input.
    (re.compile(r"\n?\[parameters: .*?\](?=\n\(Background|\n\[|$)", re.S), " [parameters: " + GONE + "]"),
    (re.compile(r"\)=\(.*?\)(?= (?:already|is not|is still|conflicts)|$)", re.M), ")=(" + GONE + ")"),
    (re.compile(r"Failing row contains \(.*\)", re.S), "Failing row contains (" + GONE + ")"),
    (re.compile(r"input_value=.*?(?=, input_type)", re.S), "input_value=" + GONE),
    # Quoted text is somebody's value unless it looks like an identifier of ours.
    (re.compile(r"(?<!\w)'(?![A-Za-z0-9_.:/<>\[\]-]{1,80}')[^'\n]*'(?!\w)"), f"'{GONE}'"),
    (re.compile(r'"(?![A-Za-z0-9_.:/<>\[\]-]{1,80}")[^"\n]*"'), f'"{GONE}"'),
)


def _value(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_telling(key):
        return GONE
    if key in _IDS and isinstance(value, str) and _ID.fullmatch(value):
        return value
    if isinstance(value, (int, float)):
        # A number can be a card or a phone only if it is long enough; ids and figures are shorter.
        return GONE if isinstance(value, int) and _is_card(str(abs(value))) else value
    if isinstance(value, Mapping):
        if depth == 0:
            return "…"
        return {str(k): _value(str(k), v, depth - 1) for k, v in islice(value.items(), 100)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return "…" if depth == 0 else [_value("", each, depth - 1) for each in islice(value, 100)]
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {redact_error(value)}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    # Cut afterwards, so that nothing is cut in half and then not known for what it is.
    return redact_text((value if isinstance(value, str) else str(value))[: LONGEST + 500])[:LONGEST]


def _replace(match: re.Match[str]) -> str:
    kind, text = match.lastgroup, match[0]
    for name, _ in _PARTS:
        if match[name] is not None:
            kind = name
            break
    if kind == "keep":
        return text
    if kind == "query":
        return f"{match['key']}={GONE}"
    if kind == "bearer":
        return f"{match['scheme']} {GONE}"
    if kind == "pair":
        return f"{match['label']}={GONE}"
    if kind == "field":
        return f"{match['before']}{GONE}"
    if kind == "iban":
        return _cut_iban(text)
    if kind == "card":
        return GONE if _is_card(text) else text
    return GONE


def _cut_iban(text: str) -> str:
    """A word that follows an IBAN may have been taken for its last group: the longest valid beginning counts."""
    ends = [len(text), *(found.start() for found in reversed(list(re.finditer("[ -]", text))))]
    end = next((end for end in ends if _is_iban(text[:end])), None)
    return text if end is None else GONE + text[end:]


def _is_iban(text: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as numbers, remainder 1 by 97."""
    bare = re.sub("[ -]", "", text)
    return 15 <= len(bare) <= 34 and int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """Luhn's check over 13 to 19 digits."""
    digits = [int(c) for c in text if c.isdigit()][::-1]
    if not 13 <= len(digits) <= 19:
        return False
    return (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0
