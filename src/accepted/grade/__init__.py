"""Grades a tree by what it does: boots it, breaks things around it, and judges from outside.

`exercise` reads what an exercise is, `engine` runs its checks in a process of their own. `verdict`, `evidence` and
`stage` are what an exercise's checks.py is written with. How a verdict is asked for and told is `accepted.check`.
"""
