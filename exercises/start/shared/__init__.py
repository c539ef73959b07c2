"""What every backend shares; nothing here knows which library carries the messages."""
