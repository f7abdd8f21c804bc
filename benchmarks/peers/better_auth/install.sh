set -eu
cp package.json package-lock.json ./*.mjs "$PEER_HOME/"
cd "$PEER_HOME"
npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
