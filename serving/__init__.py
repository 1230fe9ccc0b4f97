"""What slow_server.py needs besides delays and teapots."""
