"""Revisions, oldest to newest: 0001_product, 0002_background_work."""
