"""`python -m authapi` is `authapi`."""

from authapi.cli import main

main()
