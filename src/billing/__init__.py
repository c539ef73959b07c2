"""The billing product that already exists: tenants, customers, invoices, subscribers, payout accounts.

Given, and never edited by a learner. It knows nothing of queues or workers; what it holds of the background
work is the schema (`tables`), because one migration history serves every tree.
"""
