"""The oracle: given all that was asked, done and recorded, whether every natural key had its one effect.

`judge.judge` is pure; `reader` collects a history from a running system's witnesses.
"""
