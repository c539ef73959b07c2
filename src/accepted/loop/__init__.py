"""What a learner does all day: begin, grade, be told more, go on, start over.

Whatever replaces a learner's files (`exchange`) copies them into a stash first, and says where; what was graded and
shown is written down in the tree (`journal`); `standing` reads from that how far they are.
"""
