"""The least workers that hold the SLO at each load, and what a million jobs cost then. See docs/compare.md."""
