"""What files and settings say of secrets, for whoever needs the words alone."""

from __future__ import annotations

CLIENT_CERTIFICATE = "client_certificate"
"""The secret that says by itself when it ends; a sealed one's row has that date as ``hint``."""

THREE_WAYS = "write {seal_from_env: NAME}, {env: NAME} or {file: name}"
"""How a file says where a secret is."""
