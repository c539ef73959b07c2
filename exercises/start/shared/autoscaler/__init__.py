"""More workers when work waits too long, fewer when it has not for a while: see `law` for when, `replicas` for how."""
