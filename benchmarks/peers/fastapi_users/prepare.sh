exec "$PYTHON" -c 'import asyncio, app; asyncio.run(app.create())'
