exec "$PYTHON" -m uvicorn app:app --host 127.0.0.1 --port "$PORT" --log-level info
