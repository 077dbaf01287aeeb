"""The world outside, on loopback: servers that demand their authentication and count what they get.

Tests, the load tests and the demo talk to these over real HTTP. Nothing here imports the engine: a
partner that shared the engine's idea of Basic or of OAuth would share its mistakes.

::

    with running(AuthorizationServer(secrets={"s3cret"})) as oauth, running(CRM(oauth.book)) as crm:
        ...                                    # oauth.url, crm.url
        assert crm.counts["score"] == 100      # crm.log has every request

``spawned(...)`` runs the same in a process of its own, for load and for the demo.
"""

from tests.partners.authorization_server import AuthorizationServer
from tests.partners.faulty import Faulty
from tests.partners.odd_tokens import OddTokens
from tests.partners.partner import Behaviour, Partner, Protected
from tests.partners.plain import Answers, Echo
from tests.partners.processes import Remote, spawned
from tests.partners.protected import CRM, Desk, Loyalty, Messenger
from tests.partners.server import running
from tests.partners.tokens import TokenBook
from tests.partners.traffic import Reply, Request, bodies_by_key

__all__ = [
    "CRM",
    "Answers",
    "AuthorizationServer",
    "Behaviour",
    "Desk",
    "Echo",
    "Faulty",
    "Loyalty",
    "Messenger",
    "OddTokens",
    "Partner",
    "Protected",
    "Remote",
    "Reply",
    "Request",
    "TokenBook",
    "bodies_by_key",
    "running",
    "spawned",
]
