"""Which system is better, and how few workers hold the SLO: rounds, statistics, verdicts. See docs/compare.md."""
