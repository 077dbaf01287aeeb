"""Every table of the engine, one module per feature that writes it.

Instants are integer microseconds UTC. ``bucket`` comes first in every user-owned table.
"""

from sqlmodel import SQLModel

from engine.db.tables.access import (
    ApiToken,
    ApiTokenChange,
    FailedLogin,
    LoginLink,
    OperatorRow,
    SessionRow,
)
from engine.db.tables.catalogue import AttributeRow, EventTypeRow
from engine.db.tables.clocks import DateFire, ScheduleFire
from engine.db.tables.contact_policy import ContactPolicyRow
from engine.db.tables.credentials import (
    AuthProfile,
    AuthSecret,
    DataKey,
    SecretFingerprint,
    TokenState,
)
from engine.db.tables.doors import HookDelivery, HookRow, RepeatableRequest
from engine.db.tables.endpoints import EndpointRow, EndpointState
from engine.db.tables.facts import FactRow, InboxRow, LinkRow
from engine.db.tables.installation import AuditRow, Installation
from engine.db.tables.passages import (
    CallRow,
    EnrollmentRow,
    ExecutionRow,
    Refusal,
    RunRow,
    StepCount,
    UserRow,
)
from engine.db.tables.running import DutyRow, ProcessRow
from engine.db.tables.versions import (
    BucketOrder,
    JourneyOrder,
    JourneyRow,
    VersionEndpoint,
    VersionRow,
)
from engine.db.tables.workers import BucketRow, WorkerRow

metadata = SQLModel.metadata
"""All of them, as SQLAlchemy knows them."""

__all__ = [
    "ApiToken",
    "ApiTokenChange",
    "AttributeRow",
    "AuditRow",
    "AuthProfile",
    "AuthSecret",
    "BucketOrder",
    "BucketRow",
    "CallRow",
    "ContactPolicyRow",
    "DataKey",
    "DateFire",
    "DutyRow",
    "EndpointRow",
    "EndpointState",
    "EnrollmentRow",
    "EventTypeRow",
    "ExecutionRow",
    "FactRow",
    "FailedLogin",
    "HookDelivery",
    "HookRow",
    "InboxRow",
    "Installation",
    "JourneyOrder",
    "JourneyRow",
    "LinkRow",
    "LoginLink",
    "OperatorRow",
    "ProcessRow",
    "Refusal",
    "RepeatableRequest",
    "RunRow",
    "ScheduleFire",
    "SecretFingerprint",
    "SessionRow",
    "StepCount",
    "TokenState",
    "UserRow",
    "VersionEndpoint",
    "VersionRow",
    "WorkerRow",
    "metadata",
]
