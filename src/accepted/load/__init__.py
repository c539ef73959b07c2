"""Load tests: arrivals by the clock whatever the answers do, each job accounted for by its id, an SLO file as judge."""
