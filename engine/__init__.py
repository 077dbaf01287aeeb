"""Journey Engine: a self-hosted engine for customer journeys."""

__version__ = "0.1.0"
