exec "$PYTHON" -m granian --interface wsgi --host 127.0.0.1 --port "$PORT" --workers 1 --blocking-threads 8 --no-access-log --log-level warning app:application
