"""A Python that looks like that of Windows."""
