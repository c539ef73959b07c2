"""Servers and processes of one run: PostgreSQL, Redis, the third parties, and a tree's Procfile.

`accepted.stack.run.Stack` is the door for programs, `accepted up` the one for people.
"""
