"""Grades a tree by what it does: boots it, breaks things around it, and judges from outside.

`exercise` reads what an exercise is, `engine` runs its checks in a process of their own, `report` tells what was
found. `verdict`, `evidence` and `stage` are what an exercise's checks.py is written with.
"""
