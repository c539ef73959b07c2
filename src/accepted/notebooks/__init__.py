"""What the notebooks share: finding a bundle, reading it as a table, drawing it, and making pages of them all."""
