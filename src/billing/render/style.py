"""How a PDF report looks: fonts that ship with the product (they know Latin, Greek and Cyrillic), colours, widths."""

from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, BOLD = "DejaVuCondensed", "DejaVuCondensed-Bold"
FONTS = Path(__file__).parent / "fonts"
UNKNOWN = "\ufffd"

INK, MUTED, RULE, TINT, ACCENT = (HexColor(f"#{code}") for code in ("1c2733", "66727f", "d5dbe1", "f3f5f7", "0b5d66"))
MARGIN = 18 * mm


@lru_cache(maxsize=1)
def fonts() -> frozenset[int]:
    """Registers the fonts, once a process; returns the code points that they can draw."""
    faces = []
    for name, file in ((PLAIN, "DejaVuSansCondensed.ttf"), (BOLD, "DejaVuSansCondensed-Bold.ttf")):
        font = TTFont(name, str(FONTS / file))
        pdfmetrics.registerFont(font)
        faces.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)
    return faces[0] & faces[1]


def drawable(text: str) -> str:
    """The text with � for what the fonts can't draw (Chinese, emoji), so that a gap is seen to be one."""
    known = fonts()
    return "".join(c if ord(c) in known else UNKNOWN for c in " ".join(text.split()))


def money(cents: int) -> str:
    """Cents as people read them: 123456 is '1,234.56', -5 is '−0.05'."""
    return f"{Decimal(cents).scaleb(-2):,.2f}".replace("-", "−")


def quantity(amount: Decimal) -> str:
    """Without the zeros that say nothing: 2.500 is '2.5', 1000.000 is '1,000'."""
    whole, _, rest = f"{amount:,.3f}".partition(".")
    return (f"{whole}.{rest.rstrip('0')}" if rest.strip("0") else whole).replace("-", "−")


def style(
    size: float, *, bold: bool = False, color: Color = INK, right: bool = False, after: float = 0
) -> ParagraphStyle:
    fonts()
    found = ParagraphStyle(
        f"{size}{bold}{right}",
        fontName=BOLD if bold else PLAIN,
        fontSize=size,
        leading=size * 1.3,
        textColor=color,
        spaceAfter=after,
    )
    if right:
        found.alignment = TA_RIGHT
    return found
