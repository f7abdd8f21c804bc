"""How fast the service is, beside a bare FastAPI route and beside its peers. `python -m benchmarks --help`."""
