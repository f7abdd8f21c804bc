"""fastapi-users as its documentation sets it up: SQLAlchemy and asyncpg, JWT and database strategy side by side."""

import os
import uuid
from collections.abc import AsyncGenerator

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.authentication.strategy.db import AccessTokenDatabase, DatabaseStrategy
from fastapi_users.password import PasswordHelper, PasswordHelperProtocol
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = "a secret for nothing but measurements"


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


class UserRead(schemas.BaseUser[uuid.UUID]):
    pass


class UserCreate(schemas.BaseUserCreate):
    pass


class Plain(PasswordHelperProtocol):
    """HASH=none."""

    def verify_and_update(self, plain_password: str, hashed_password: str) -> tuple[bool, str | None]:
        return hashed_password == f"plain${plain_password}", None

    def hash(self, password: str) -> str:
        return f"plain${password}"

    def generate(self) -> str:
        return "unused"


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"))
make_session = async_sessionmaker(engine, expire_on_commit=False)
helper = Plain() if os.environ["HASH"] == "none" else PasswordHelper()


async def get_session() -> AsyncGenerator[AsyncSession, None]:
    async with make_session() as session:
        yield session


async def get_user_db(session: AsyncSession = Depends(get_session)):
    yield SQLAlchemyUserDatabase(session, User)


async def get_token_db(session: AsyncSession = Depends(get_session)):
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


async def get_manager(db: SQLAlchemyUserDatabase = Depends(get_user_db)):
    yield UserManager(db, helper)


def jwt_strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


def database_strategy(db: AccessTokenDatabase[AccessToken] = Depends(get_token_db)) -> DatabaseStrategy:
    return DatabaseStrategy(db, lifetime_seconds=3600)


by_jwt = AuthenticationBackend("jwt", BearerTransport("jwt/login"), jwt_strategy)
by_database = AuthenticationBackend("db", BearerTransport("db/login"), database_strategy)
users = FastAPIUsers[User, uuid.UUID](get_manager, [by_jwt, by_database])

app = FastAPI()
app.include_router(users.get_auth_router(by_jwt), prefix="/jwt")
app.include_router(users.get_auth_router(by_database), prefix="/db")
app.include_router(users.get_register_router(UserRead, UserCreate))


@app.get("/health")
async def health() -> dict[str, str]:
    return {}


async def _jwt_only() -> list[AuthenticationBackend]:
    return [by_jwt]


async def _database_only() -> list[AuthenticationBackend]:
    return [by_database]


by_jwt_only = users.current_user(active=True, get_enabled_backends=_jwt_only)
by_token_only = users.current_user(active=True, get_enabled_backends=_database_only)


@app.get("/jwt/me", response_model=UserRead)
async def me_by_jwt(user: User = Depends(by_jwt_only)) -> User:
    return user


@app.get("/db/me", response_model=UserRead)
async def me_by_token(
    user: User = Depends(by_token_only),
) -> User:
    return user


async def create() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
