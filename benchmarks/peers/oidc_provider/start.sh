set -eu
export NODE_ENV=production ALG="${ALG:-EdDSA}"
exec node "$PEER_HOME/server.mjs"
