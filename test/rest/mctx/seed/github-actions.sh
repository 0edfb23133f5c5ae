# Rotate the token
RESPONSE=$(curl --silent --fail \
  -X POST "https://api.mctx.ai/api/tokens/${MCTX_TOKEN_ID}/rotate" \
  -H "Authorization: Bearer ${MCTX_API_TOKEN}")

NEW_TOKEN=$(echo "$RESPONSE" | jq -r '.token')

# Update the GitHub Actions secret via the GitHub API
# Requires a GitHub token with secrets:write permission
gh secret set MCTX_API_TOKEN --body "$NEW_TOKEN"
