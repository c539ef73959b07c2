"""`accepted sweep`: kills every process at every crossing of a job's life, and asks the oracle.

`accepted ablation`: switches each defence off in turn, and must find the hole that it left.
"""
