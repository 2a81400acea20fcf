#!/bin/sh
# Gets a TURN token from the WAF as an OAuth client, and prints the parts of the answer.
# Usage: CLIENT_SECRET=... samples/waf-client.sh [address of the WAF] [client id] [name of the TURN server]
set -eu
waf=${1:-http://localhost:8081} client=${2:-wwsf} server=${3:-turn.webrtcims.local}

# client_secret_basic (RFC 6749 §2.3.1). curl reads the secret from its standard input, so that `ps` does not show it.
# A secret with characters other than letters, digits, '-', '.', '_' and '~' must be percent-encoded first.
answer=$(printf 'user = "%s:%s"\n' "$client" "${CLIENT_SECRET:?is not set}" | curl --config - --silent --show-error --fail-with-body \
  --data grant_type=client_credentials --data scope=stun --data-urlencode "aud=$server" --data alg=HMAC-SHA-256-128 \
  "$waf/oauth2/token") || { echo "The WAF refused: ${answer:-no answer}" >&2; exit 1; }

part() { printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | sed 's/\\u002B/+/g; s/\\u002F/\//g; s/\\\//\//g'; }

echo "kid:          $(part kid)                names the key that encrypts the token; a native client sends it as USERNAME"
echo "access_token: $(part access_token)  base64; only the TURN server can read it"
echo "key:          $(part key)  base64 of mac_key, for the HMAC of the client"
echo "alg:          $(part alg)"
echo "expires_in:   $(part expires_in) s"

# Browsers cannot send ACCESS-TOKEN, so they send the token in the user name.
echo "username:     $(part kid)~$(part access_token | tr '+/' '-_' | tr -d '=')"
echo "credential:   $(part key)"
