"""The pages, one module per feature: each lists its routes as ``PAGES``."""
