#!/bin/bash
set -euo pipefail

# Rotate the token — the token authenticates itself
RESPONSE=$(curl --silent --fail \
  -X POST "https://api.mctx.ai/api/tokens/${MCTX_TOKEN_ID}/rotate" \
  -H "Authorization: Bearer ${MCTX_API_TOKEN}")

# Extract the new token value
NEW_TOKEN=$(echo "$RESPONSE" | jq -r '.token')

# Update the CI secret with the new value before proceeding
# (how to do this depends on your CI provider — see examples below)
echo "Rotation complete. Update MCTX_API_TOKEN with the new value."
echo "$NEW_TOKEN"
