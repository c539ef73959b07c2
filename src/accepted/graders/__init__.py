"""The graders, graded: trees of which it is known what they must come to, and whether they do.

`cases` names them, `expected` says what each must come to, `running` plays them side by side, `kept` remembers what
is still true, `matrix` and `transcripts` write it down. `flake` runs one grader many times.
"""
