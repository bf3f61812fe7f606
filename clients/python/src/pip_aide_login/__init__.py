"""Gets pip-aide a token of its own from a pip-aide-gateway."""

__version__ = "0.1.0"
