"""The kinds of auth profile: one module each, one line each in :data:`KINDS`."""
