"""What looks like a secret in a file an author wrote, and how a line that holds one is shown.

Only shapes that say so themselves are taken for secrets (PEM private keys, JSON Web Tokens,
RFC 6750 bearer values, RFC 3986 user information, prefixes that vendors publish for secret
scanners): a guess by entropy would refuse honest journeys.
"""

from __future__ import annotations

import re

_VENDOR_PREFIXES = (
    r"[sr]k_(?:live|test)_[0-9A-Za-z]{8,}",  # Stripe
    r"whsec_[0-9A-Za-z+/]{16,}",
    r"gh[pousr]_[0-9A-Za-z]{16,}",  # GitHub
    r"github_pat_[0-9A-Za-z_]{20,}",
    r"glpat-[0-9A-Za-z_-]{16,}",  # GitLab
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}",  # Slack
    r"xapp-[0-9A-Za-z-]{10,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",  # AWS
    r"AIza[0-9A-Za-z_-]{30,}",  # Google
    r"ya29\.[0-9A-Za-z_-]{16,}",
    r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}",  # SendGrid
    r"sk-[0-9A-Za-z_-]{20,}",  # OpenAI, Anthropic
    r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{16,}",  # Shopify
    r"npm_[0-9A-Za-z]{30,}",
    r"pypi-[0-9A-Za-z_-]{40,}",
    r"key-[0-9a-f]{32}",  # Mailgun
    r"dop_v1_[0-9a-f]{32,}",  # DigitalOcean
    r"hv[sb]\.[0-9A-Za-z_-]{20,}",  # HashiCorp Vault
    r"jrn_[a-z_]{1,20}_[0-9A-Za-z]{32,}",  # our own API tokens
)

_SHAPES = (
    (
        "a private key",
        "-----BEGIN ",
        re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY.*?(?:-----END[^\n]*|\Z)", re.DOTALL),
    ),
    (
        "a JSON Web Token",
        "eyJ",
        re.compile(r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{6,}"),
    ),
    ("a bearer token", "", re.compile(r"\bbearer[ \t]+[0-9A-Za-z._~+/=-]{16,}", re.IGNORECASE)),
    (
        "an address with a password",
        "://",
        re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@{}\"']{0,200}:[^\s/@{}\"']{1,200}@"),
    ),
    (
        "a vendor's API key",
        "",
        re.compile(r"(?<![0-9A-Za-z_])(?:" + "|".join(_VENDOR_PREFIXES) + ")"),
    ),
)
"""What it is, a text that every such secret holds ('': there is none), and how it looks. Most texts
hold no such text, and finding that out takes no regular expression.
"""

_IN_ADDRESSES = re.compile(r"(?<=://)[^\s/:@{}\"']{1,200}(?=@)|(?<=[?&]key=)[^&\s{}\"']{1,200}")
"""A token for a user, a key in a query: no reason to refuse a text, and nothing to be shown."""

_CREDENTIAL_KEY = re.compile(
    r"""(?ix) (?<![a-z0-9])
    (?: [a-z0-9_-]{0,40}(?:token|secret|passw(?:or)?d|passphrase|api[-_]?key|credentials?)
      | authorization | (?:set-)?cookie )
    ["']?[ \t]*[:=](?!=)[ \t]*
    (?! \{\s*(?:seal_from_env|env|file|vault|aws_sm)\b )      # a reference, not a value
    (?P<value> [|>][-+0-9]*[ \t]*(?:\n[ \t]+[^\n]*)+ | [^\n]+ )
    """
)

CREDENTIAL_HEADERS = frozenset(
    (
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-authorization"),
        *("x-api-key", "api-key", "apikey", "x-apikey", "api-token", "x-api-token", "x-secret"),
        *("x-auth-token", "auth-token", "x-auth-key", "x-access-token", "access-token"),
        *("accesstoken", "token", "x-token", "id-token", "refresh-token", "private-token"),
        *("password", "passwd", "secret", "client-secret", "x-amz-security-token"),
        *("ocp-apim-subscription-key", "x-functions-key", "x-goog-api-key"),
        *("x-shopify-access-token", "x-vault-token"),
    )
)
"""Headers and query parameters that carry credentials by published custom; `_` stands for `-`."""

_CREDENTIAL_OPTIONS = frozenset(
    (
        *("url", "uri", "base_url", "host"),
        *("auth", "auth_profile", "authentication", "authorization", "bearer", "basic"),
        *("token", "access_token", "refresh_token", "token_url", "oauth", "oauth2"),
        *("username", "password", "passwd", "passphrase", "api_key", "apikey", "private_key"),
        *("secret", "secrets", "client_id", "client_secret", "credential", "credentials"),
        *("cookie", "cookies"),
    )
)


def looks_secret(text: str) -> str | None:
    """What ``text`` holds that looks like a secret, in words ('a private key'), or None."""
    return next(
        (name for name, holds, shape in _SHAPES if holds in text and shape.search(text)), None
    )


def masked(text: str) -> str:
    """``text`` with everything secret-looking, and every value of a credential's key, as ``*``.

    Length and line breaks stay, so that lines and columns of the original hold.
    """
    return _CREDENTIAL_KEY.sub(_mask_value, masked_shapes(text))


def masked_shapes(text: str) -> str:
    """``text`` with everything secret-looking as ``*``, whatever keys stand before it."""
    for _, holds, shape in _SHAPES:
        if holds in text:
            text = shape.sub(lambda found: masked_whole(found.group()), text)
    if "://" not in text and "key=" not in text:
        return text
    return _IN_ADDRESSES.sub(lambda found: masked_whole(found.group()), text)


def is_credential_header(name: str) -> bool:
    """Whether a header or query parameter of this name carries a credential by published custom."""
    return name.strip().lower().replace("_", "-") in CREDENTIAL_HEADERS


def is_credential_option(key: str) -> bool:
    """Whether this key in a step says where to call or how to authenticate."""
    return key.strip().lower().replace("-", "_") in _CREDENTIAL_OPTIONS


def _mask_value(found: re.Match[str]) -> str:
    start = found.start("value") - found.start()
    whole = found.group()
    return whole[:start] + masked_whole(whole[start:])


def masked_whole(text: str) -> str:
    """``text`` as ``*``, all but the spaces and what parts items."""
    return re.sub(r"[^\s:,\]}]", "*", text)
