"""What a teacher needs: where the room sticks, and exercises of their own.

`collected` reads the result files of many learners, `room` says how they stand, `page` and `sheet` write it down.
`lint` judges an exercise's form, `skeleton` lays a new one.
"""
