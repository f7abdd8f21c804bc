"""django-allauth headless for apps, in one file: JWT strategy, rotation, sessions checked against the database."""

import os
from urllib.parse import urlsplit

from django.conf import settings

where = urlsplit(os.environ["DATABASE_URL"])
HASHERS = {"none": "app.Plain", "own": "django.contrib.auth.hashers.PBKDF2PasswordHasher"}
if not settings.configured:
    settings.configure(
        DEBUG=False,
        SECRET_KEY="a secret for nothing but measurements, long enough for HS256",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="app",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "allauth",
            "allauth.account",
            "allauth.headless",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": where.path.strip("/"),
                "USER": where.username,
                "HOST": where.hostname,
                "PORT": where.port,
                "OPTIONS": {"pool": {"min_size": 4, "max_size": 16}},
            }
        },
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        PASSWORD_HASHERS=[HASHERS[os.environ["HASH"]]],
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        ACCOUNT_LOGIN_METHODS={"email"},
        ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_RATE_LIMITS=False,
        HEADLESS_ONLY=True,
        HEADLESS_CLIENTS=("app",),
        HEADLESS_TOKEN_STRATEGY="allauth.headless.tokens.strategies.jwt.JWTTokenStrategy",
        HEADLESS_JWT_ALGORITHM="HS256",
        HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED=True,
        HEADLESS_JWT_ROTATE_REFRESH_TOKEN=True,
    )
    import django

    django.setup()

from django.contrib.auth.hashers import BasePasswordHasher  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402


class Plain(BasePasswordHasher):
    """HASH=none."""

    algorithm = "plain"

    def salt(self) -> str:
        return "x"

    def encode(self, password: str, salt: str) -> str:
        return f"plain${salt}${password}"

    def decode(self, encoded: str) -> dict[str, str]:
        return {"algorithm": "plain", "salt": "x", "hash": encoded}

    def verify(self, password: str, encoded: str) -> bool:
        return encoded == self.encode(password, "x")

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        pass


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [path("health", health), path("_allauth/", include("allauth.headless.urls"))]
application = get_wsgi_application()
