"""It claims nothing but to answer."""

import sys

from benchmarks.http import call, fact, post

base = sys.argv[1]
fact("POST answers", post(f"{base}/refresh", {"refresh_token": "a"}), 200)
fact("GET answers", call("GET", f"{base}/session"), 200)
