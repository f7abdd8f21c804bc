exec "$PYTHON" -m uvicorn app:app --host 127.0.0.1 --port "$PORT" --no-access-log --log-level warning
