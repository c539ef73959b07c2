"""The system on RQ and Redis."""
