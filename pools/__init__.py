"""The executors of prime_pools.py."""
