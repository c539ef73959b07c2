"""What the guarantees cost: each bench measures the system beside a bare version of the same work, in one run."""
