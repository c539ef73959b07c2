"""`accepted demo`: one story through the whole house, and a closing count that does not take the story's word."""
