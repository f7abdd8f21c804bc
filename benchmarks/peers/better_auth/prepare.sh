set -eu
exec node "$PEER_HOME/prepare.mjs"
