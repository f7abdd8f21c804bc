export AUTHAPI_ENV=development AUTHAPI_SECRET="a secret for nothing but measurements, 48 characters"
export AUTHAPI_DATABASE_URL="$DATABASE_URL" AUTHAPI_REDIS_URL="$REDIS_URL"
exec "$PYTHON" -m authapi migrate up
