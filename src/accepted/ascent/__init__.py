"""Before and after: the same burst on the app that everyone ships first, on every rung, and on the reference."""
