"""What pages work with: the database, the vault, the settings; opened once per process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.console.remembered import Remembered
from engine.credentials.references import References
from engine.operations.probe import attempted
from engine.operations.zone import installation_zone
from engine.settings import environment
from engine.versions.store import Versions
from engine.wire.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.credentials.vault import Vault
    from engine.operations.probe import Means as ProbeMeans
    from engine.operations.probe import Tried
    from engine.operations.store import Finding
    from engine.processes.duties import Post


class Means:
    """For any thread. ``health`` tells what the process found of itself last."""

    def __init__(self, post: Post, health: Callable[[], Sequence[Finding]]) -> None:
        self._post = post
        self._vault: Vault | None = None
        self._opening = threading.Lock()
        self.health = health
        self.settings = post.settings
        self.database = post.database
        self.zone = installation_zone(post.settings)
        self.egress = Egress.parse(post.settings.egress_allow)
        self.references = References(environment(), post.settings.secret_folders)
        self.versions = Versions()
        self.remembered = Remembered()

    def vault(self) -> Vault:
        """What opens and seals secrets. Raises SettingsError where its key is missing."""
        with self._opening:
            if self._vault is None:
                self._vault = self._post.vault()
            return self._vault

    def over_http(self, attempt: Callable[[ProbeMeans], Awaitable[Tried]]) -> Tried:
        """What became of an attempt that sends a request or two: nobody's calls wait for it."""
        return attempted(self.database, self.vault(), self.references, self.egress, attempt)
