"""Django OAuth Toolkit as it comes, over oauthlib: rotated refresh tokens, reuse detected."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.partners.others import Counting, serve

urlpatterns: list[Any] = []


def _configure(folder: str, url: str, life: int) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "oauth2_provider",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(folder) / "db.sqlite3"),
            }
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "ACCESS_TOKEN_EXPIRE_SECONDS": life,
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "SCOPES": {"scores": "Scores", "read": "Read", "write": "Write"},
        },
    )
    django.setup()


def _fill(given: dict[str, Any]) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    User.objects.create_user(given["user"], password=given["password"])
    for grant in ("client-credentials", "password"):
        get_application_model().objects.create(
            name=grant,
            client_id=given["client"] if grant == "client-credentials" else "for-people",
            client_secret=given["secret"],
            client_type="confidential",
            authorization_grant_type=grant,
        )


def _revoke_all() -> None:
    from oauth2_provider.models import get_access_token_model

    get_access_token_model().objects.all().delete()


def _made(url: str) -> tuple[Counting, dict[str, str]]:
    given = json.loads(sys.argv[1])
    _configure(tempfile.mkdtemp(), url, given["life"])
    _fill(given)
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import include, path
    from django.views.decorators.csrf import csrf_exempt
    from oauth2_provider.decorators import protected_resource
    from oauth2_provider.urls import base_urlpatterns, metadata_urlpatterns

    tasks = csrf_exempt(
        protected_resource(advertise_metadata=True)(
            lambda _: JsonResponse({"id": "task"}, status=201)
        )
    )
    urlpatterns.append(
        path("", include((metadata_urlpatterns + base_urlpatterns, "oauth2_provider")))
    )
    urlpatterns.append(path("api/tasks", tasks))
    addresses = {"issuer": url, "token_url": f"{url}/token/"}
    addresses["revocation_url"] = f"{url}/revoke_token/"
    return Counting(get_wsgi_application(), _revoke_all), addresses


if __name__ == "__main__":
    sys.modules["tests.partners.django_toolkit"] = sys.modules["__main__"]
    serve(_made)
