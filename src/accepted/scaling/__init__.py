"""The autoscaler from outside: its workers as they are counted, and its law on a queue that is only reckoned."""
