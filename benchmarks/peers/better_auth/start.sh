set -eu
export NODE_ENV=production
exec node "$PEER_HOME/server.mjs"
