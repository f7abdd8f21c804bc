exec "$PYTHON" -c 'import app; from django.core.management import call_command; call_command("migrate", verbosity=0)'
