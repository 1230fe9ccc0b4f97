"""The parts of slow_server.py."""
