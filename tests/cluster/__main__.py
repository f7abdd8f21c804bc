"""`make cluster`: the service on several hosts of this machine, until Ctrl-C.

python -m tests.cluster                 # Valkey with sentinels, the service goes straight to both Postgres servers
python -m tests.cluster --redis cluster --pgbouncer
"""

import argparse
import shutil
import signal
import sys
import threading

from tests.support.cluster.programs import missing
from tests.support.cluster.site import Site, open_site
from tests.support.cluster.valkey import cluster, sentinels
from tests.support.servers import open_folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="The service on several hosts.")
    parser.add_argument("--redis", choices=("sentinel", "cluster"), default="sentinel")
    parser.add_argument("--pgbouncer", action="store_true", help="lead the service to Postgres through PgBouncer")
    arguments = parser.parse_args()
    if (what := missing()) is not None:
        print(f"The cluster {what}.", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    folder = open_folder()
    try:
        keepers = cluster if arguments.redis == "cluster" else sentinels
        with open_site(folder, keepers=keepers, is_bounced=arguments.pgbouncer) as site:
            show(site)
            stop.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def show(site: Site) -> None:
    hosts = site.hosts.each
    kind = "network namespaces" if site.hosts.can_be_unplugged else "addresses of the loopback"
    print(f"{len(hosts)} hosts, {kind}: {hosts[0].address} to {hosts[-1].address}")
    for name, address in site.listening():
        print(f"  {name:<28} {address}")
    if namespace := hosts[0].namespace:
        print(f"`ip netns exec {namespace} …` runs a program there. Ctrl-C ends everything.", flush=True)
    else:
        print("Ctrl-C ends everything.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
