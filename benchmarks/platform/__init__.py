"""Benchmarks of the platform: its own PostgreSQL with fsync on, real processes on loopback, peers in the same run."""
