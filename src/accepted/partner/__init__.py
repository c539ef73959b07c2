"""The simulated third party: payment provider, e-mail provider and webhook subscribers in one HTTP process.

It keeps a ledger of every call and every effect it saw, and breaks on request (`PUT /faults`).
"""
