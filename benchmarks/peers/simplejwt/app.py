"""djangorestframework-simplejwt in one file: rotation with blacklist, Django's own users, a plain sign-up view."""

import os
from urllib.parse import urlsplit

from django.conf import settings

where = urlsplit(os.environ["DATABASE_URL"])
DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": where.path.strip("/"),
    "USER": where.username,
    "HOST": where.hostname,
    "PORT": where.port,
    "OPTIONS": {"pool": {"min_size": 4, "max_size": 16}},
}
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
            "rest_framework",
            "rest_framework_simplejwt.token_blacklist",
        ],
        MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
        DATABASES={"default": DATABASE},
        PASSWORD_HASHERS=[HASHERS[os.environ["HASH"]]],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    )
    import django

    django.setup()

from django.contrib.auth.hashers import BasePasswordHasher  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import IntegrityError  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import AllowAny, IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication  # noqa: E402
from rest_framework_simplejwt.views import (  # noqa: E402
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
)


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


class SignUp(APIView):
    permission_classes = [AllowAny]
    authentication_classes: list[type] = []

    def post(self, request: Request) -> Response:
        try:
            user = User.objects.create_user(request.data["email"], request.data["email"], request.data["password"])
        except IntegrityError:
            return Response({"code": "taken"}, status=409)
        return Response({"id": user.pk}, status=201)


class Me(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"id": request.user.pk, "email": request.user.email})


class StatelessMe(APIView):
    permission_classes = [IsAuthenticated]
    authentication_classes = [JWTStatelessUserAuthentication]

    def get(self, request: Request) -> Response:
        return Response({"id": request.user.pk})


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [
    path("health", health),
    path("signup", SignUp.as_view()),
    path("login", TokenObtainPairView.as_view()),
    path("refresh", TokenRefreshView.as_view()),
    path("logout", TokenBlacklistView.as_view()),
    path("me", Me.as_view()),
    path("stateless", StatelessMe.as_view()),
]
application = get_wsgi_application()
