"""How the system is run: what is paused, which broker it has, what was counted, how many workers there should be."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, SmallInteger, Table, Text

from .columns import now
from .db import metadata

pauses = Table(
    "pauses",
    metadata,
    Column("scope", Text, primary_key=True),  # 'all', 'queue:reports', 'kind:payout.send'
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    now("at"),
)

broker_epoch = Table(
    "broker_epoch",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default="1"),
    Column("epoch", Text, nullable=False),
    now("since"),
    CheckConstraint("id = 1", name="one_row"),
)

# Jobs past their time to live are deleted; what they counted stays, so that no counter ever falls.
counters = Table(
    "counters",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What the autoscaler saw and decided last, a row a pool; `ups` and `downs` are how often it ever did.
scaling = Table(
    "scaling",
    metadata,
    Column("pool", Text, primary_key=True),
    now("at"),
    Column("replicas", Integer, nullable=False),
    Column("leaving", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    Column("ups", BigInteger, nullable=False, server_default="0"),
    Column("downs", BigInteger, nullable=False, server_default="0"),
)
