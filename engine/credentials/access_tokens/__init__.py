"""OAuth access tokens: asked for once, shared by all processes, renewed before they end."""
