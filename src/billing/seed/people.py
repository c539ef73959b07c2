"""Made-up people and banks. Every value that would be personal in real life bears a mark, so that whoever looks
for a leak (in a queue, a log, a dead letter) can search for the marks instead of comparing with the database."""

import re
import unicodedata
from random import Random
from typing import NamedTuple

EMAIL_DOMAIN = "@customers.example"
PHONE_PREFIX = "+999 "  # a country code that no country has
ADDRESS_SUFFIX = "Exampleland"
TAX_PREFIX = "ZZ"
IBAN_BANK = "99999999"  # a bank code that no German bank has; the checksum is valid all the same

# What a search for leaks looks for: any of these in a text is personal data. Names end in a customer's or a
# payee's number in brackets.
PII = re.compile(r"@customers\.example|\+999 \d|\bExampleland\b|\bZZ\d{9}\b|\bDE\d{2}99999999\d{10}\b|\([cp]\d+\)")

_FIRST = [
    "Łukasz",
    "Zoë",
    "José",
    "Anaïs",
    "Søren",
    "Dvořák",
    "Grażyna",
    "İpek",
    "Björk",
    "Ágnes",
    "Chloë",
    "Jürgen",
    "Noémie",
    "Ștefan",
    "Þóra",
    "Ana",
    "Bruno",
    "Clara",
    "Daniel",
    "Elena",
    "Farid",
    "Greta",
    "Hanna",
    "Ivo",
    "Jun",
    "Kofi",
    "Lena",
    "Marta",
    "Nadia",
    "Omar",
    "Priya",
    "Quinn",
    "Rosa",
    "Samir",
    "Tara",
    "Uma",
    "Victor",
    "Wei",
    "Ximena",
    "Yara",
]
_LAST = [
    "Żółć",
    "Núñez",
    "Öztürk",
    "Håkansson",
    "Kővári",
    "Škvorecký",
    "Müller",
    "O’Brien",
    "Đurić",
    "Lefèvre",
    "García",
    "Nguyễn",
    "Rossi",
    "Smith",
    "Tanaka",
    "Kowalska",
    "Jansen",
    "Okafor",
    "Patel",
    "Silva",
    "Weber",
    "Novak",
    "Costa",
    "Haddad",
    "Berg",
    "Fischer",
    "Moreau",
    "Popescu",
    "Ricci",
    "Sato",
]
_STREETS = ["Mill Lane", "Rue de l’Église", "Hauptstraße", "Calle Mayor", "Ulica Długa", "Storgata", "Via Roma"]
_TOWNS = ["Little Sample", "Beispielhausen", "Villa Muestra", "Exempleville", "Przykładowo", "Provby"]
_ASCII = str.maketrans("łøđþıß’", "lodpis-")


class Person(NamedTuple):
    name: str
    email: str
    phone: str
    address: str
    tax_id: str


def plain(text: str) -> str:
    """Lower-case ASCII of a name, for the part of an e-mail address before the @."""
    bare = unicodedata.normalize("NFKD", text.lower().translate(_ASCII))
    return re.sub(r"[^a-z.-]", "", bare)


def person(rng: Random, number: int, mark: str) -> Person:
    """Customer (`mark` c) or payee (p) of this number."""
    first, last = _FIRST[int(rng.random() * len(_FIRST))], _LAST[int(rng.random() * len(_LAST))]
    street, town = _STREETS[int(rng.random() * len(_STREETS))], _TOWNS[int(rng.random() * len(_TOWNS))]
    return Person(
        f"{first} {last} ({mark}{number})",
        f"{plain(first)}.{plain(last)}.{mark}{number}{EMAIL_DOMAIN}",
        f"{PHONE_PREFIX}{int(rng.random() * 10**9):09d}",
        f"{street} {1 + int(rng.random() * 199)}, {int(rng.random() * 10**5):05d} {town}, {ADDRESS_SUFFIX}",
        f"{TAX_PREFIX}{int(rng.random() * 10**9):09d}",
    )


def iban(rng: Random) -> str:
    """A German IBAN (22 characters) of a bank that doesn't exist, with the right check digits."""
    bban = f"{IBAN_BANK}{int(rng.random() * 10**10):010d}"
    return f"DE{98 - int(f'{bban}131400') % 97:02d}{bban}"


def iban_is_valid(text: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as numbers, remainder 1 by 97."""
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1
