export AUTHAPI_ENV=development AUTHAPI_LIMITS_SCALE=100000 AUTHAPI_LOG_LEVEL=info
export AUTHAPI_DATABASE_URL="$DATABASE_URL" AUTHAPI_REDIS_URL="$REDIS_URL"
export AUTHAPI_SECRET="a secret for nothing but measurements, 48 characters"
export AUTHAPI_PUBLIC_URL="http://127.0.0.1:$PORT"
if [ "$HASH" = none ]; then
  exec "$PYTHON" unhashed.py serve --host 127.0.0.1 --port "$PORT"
fi
exec "$PYTHON" -m authapi serve --host 127.0.0.1 --port "$PORT"
