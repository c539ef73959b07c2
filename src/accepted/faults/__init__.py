"""Faults that hit where they are aimed: a proxy that knows each crossing by name, kills, cuts and frozen lines."""
