"""`accepted check`: how a verdict is asked for, told and kept. What judges is `accepted.grade`.

command   the command        report    on the screen, as JSON, as JUnit        settled   results that are whole
"""
