"""The forms of the kinds of auth profile, as data: a new kind is one more entry.

What a field means is said by its kind's model; here stands how it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormField:
    """A field. ``choices`` are (value, words); a ``secret`` is asked for and never shown; ``rare``
    ones are folded away. ``kept_empty``: '' is a value, and no missing one.
    """

    name: str
    label: str
    hint: str = ""
    secret: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    rare: bool = False
    kept_empty: bool = False
    default: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class KindForm:
    """A kind: what people call it, when it is the right one, its fields."""

    kind: str
    name: str
    about: str
    fields: tuple[FormField, ...]
    advice: str = ""


_PREFIX = FormField(
    "prefix",
    "Prefix",
    "What stands before the token. Some APIs want Token, or nothing.",
    rare=True,
    kept_empty=True,
    default="Bearer",
)

KIND_FORMS: dict[str, KindForm] = {
    form.kind: form
    for form in (
        KindForm(
            "oauth2",
            "OAuth 2.0",
            "Access tokens from a token server, fetched and renewed for you, shared by all calls.",
            (
                FormField(
                    "grant",
                    "Grant",
                    choices=(
                        ("client_credentials", "Client credentials"),
                        ("password", "Password (deprecated by RFC 9700)"),
                    ),
                    default="client_credentials",
                ),
                FormField("token_url", "Token URL", "Where tokens are asked for, https."),
                FormField(
                    "issuer", "Issuer", "Instead of a token URL: it is looked up there (RFC 8414)."
                ),
                FormField("client_id", "Client ID", required=True),
                FormField("client_secret", "Client secret", secret=True),
                FormField("scope", "Scope", "Separated by spaces."),
                FormField("username", "Username", "Of grant password only.", rare=True),
                FormField(
                    "password", "Password", "Of grant password only.", secret=True, rare=True
                ),
                FormField(
                    "client_auth",
                    "Client authentication",
                    "How the client shows who it is.",
                    choices=(
                        ("basic", "HTTP Basic"),
                        ("post", "In the body"),
                        ("none", "Not at all (public client)"),
                    ),
                    rare=True,
                    default="basic",
                ),
                FormField(
                    "basic_encoding",
                    "Basic encoding",
                    "Raw is for servers that don't decode what RFC 6749 has encoded.",
                    choices=(("form", "Form-encoded (RFC 6749)"), ("raw", "Raw")),
                    rare=True,
                    default="form",
                ),
                FormField(
                    "body",
                    "Request body",
                    choices=(("form", "Form"), ("json", "JSON"), ("query", "In the query")),
                    rare=True,
                    default="form",
                ),
                FormField(
                    "revocation_url",
                    "Revocation URL",
                    "Told when the profile is deleted (RFC 7009).",
                    rare=True,
                ),
                FormField(
                    "token_path",
                    "Token path",
                    "Where the answer has the token.",
                    rare=True,
                    default="access_token",
                ),
                FormField(
                    "expiry_path",
                    "Expiry path",
                    "Where the answer has its life.",
                    rare=True,
                    default="expires_in",
                ),
                FormField(
                    "expiry_unit",
                    "Expiry unit",
                    choices=(
                        ("seconds", "Seconds"),
                        ("milliseconds", "Milliseconds"),
                        ("minutes", "Minutes"),
                    ),
                    rare=True,
                    default="seconds",
                ),
                FormField(
                    "default_ttl",
                    "Life if unsaid",
                    "Of a token whose server doesn't say, as PT5M.",
                    rare=True,
                ),
                _PREFIX,
            ),
        ),
        KindForm(
            "basic",
            "Basic",
            "A user name and a password with every request.",
            (
                FormField("username", "Username", required=True),
                FormField("password", "Password", "May be empty.", secret=True),
            ),
            "The password goes out with every request: where the service offers OAuth 2.0, prefer"
            " that.",
        ),
        KindForm(
            "bearer",
            "Bearer token",
            "A token that doesn't change by itself, in the Authorization header.",
            (FormField("token", "Token", secret=True, required=True), _PREFIX),
        ),
        KindForm(
            "api_key",
            "API key",
            "A key in a header, the query or the body.",
            (
                FormField("name", "Header or parameter", "As X-Api-Key.", required=True),
                FormField("value", "Key", secret=True, required=True),
                FormField(
                    "in",
                    "Place",
                    choices=(
                        ("header", "Header"),
                        ("query", "Query parameter"),
                        ("body", "Field of the body"),
                    ),
                    default="header",
                ),
                FormField(
                    "prefix",
                    "Prefix",
                    "What stands before the key, with a space.",
                    rare=True,
                    kept_empty=True,
                ),
            ),
        ),
        KindForm("none", "None", "A name for no authentication at all.", ()),
    )
}

OF_ALL_KINDS = (
    FormField("title", "Title", "What people see, as Salesforce Production.", kept_empty=True),
    FormField(
        "secret_expires",
        "Secret ends",
        "The date at which the service ends the secret, as 2027-03-31; you are warned in time.",
        rare=True,
    ),
)


def kind_name(kind: str) -> str:
    """What people call a kind."""
    form = KIND_FORMS.get(kind)
    return kind if form is None else form.name
