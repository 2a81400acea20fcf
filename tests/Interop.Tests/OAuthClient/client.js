// A client of the WAF with openid-client: it discovers the server, registers with each method, gets a token, introspects it and revokes it.
// It prints one JSON object per method, for the test that runs it.
import { X509Certificate, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import * as oauth from 'openid-client'

const { WAF_ISSUER, WAF_INITIAL_ACCESS_TOKEN, WAF_AUDIENCE, WAF_CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY } = process.env
const ca = readFileSync(WAF_CERTIFICATE)
const [cert, key] = [readFileSync(CLIENT_CERTIFICATE), readFileSync(CLIENT_KEY)]
const server = new URL(WAF_ISSUER)

/** fetch over an agent: node's own cannot present a certificate. */
const fetchOver = (agent) => (url, { method, headers, body, signal }) => new Promise((resolve, reject) => {
  const sent = request(url, { agent, method, headers, signal }, async (received) => {
    const parts = []
    for await (const part of received) parts.push(part)
    const hasBody = received.statusCode !== 204
    resolve(new Response(hasBody ? Buffer.concat(parts) : null, { status: received.statusCode, headers: received.headers }))
  })
  sent.on('error', reject)
  sent.end(body?.toString())
})

const plain = fetchOver(new Agent({ ca }))
const withCertificate = fetchOver(new Agent({ ca, cert, key }))

function signer() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: pair.privateKey,
    jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid: 'c1', use: 'sig' },
  }
}

const ecdsa = (privateKey) => crypto.subtle.importKey(
  'pkcs8', privateKey.export({ format: 'der', type: 'pkcs8' }), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])

function certificateJwk() {
  const certificate = new X509Certificate(cert)
  if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('The key is not that of the certificate.')
  return { ...certificate.publicKey.export({ format: 'jwk' }), x5c: [certificate.raw.toString('base64')] }
}

const register = (metadata, authentication, fetch = plain) => oauth.dynamicClientRegistration(
  server, { client_name: 'openid-client', ...metadata }, authentication,
  { algorithm: 'oauth2', initialAccessToken: WAF_INITIAL_ACCESS_TOKEN, [oauth.customFetch]: fetch })

/** A TURN token has the type of RFC 7635. The library checks the rest of the response before it reports a type that it does not know. */
async function turnToken(config) {
  try {
    return await oauth.clientCredentialsGrant(config, { scope: 'stun', aud: WAF_AUDIENCE, alg: 'HMAC-SHA-256-128' })
  } catch (error) {
    const body = error.cause?.cause?.body ?? error.cause?.body
    if (error.code !== 'OAUTH_UNSUPPORTED_OPERATION' || body?.token_type !== 'pop') throw error
    return body
  }
}

async function use(method, config) {
  const token = await turnToken(config)
  const before = await oauth.tokenIntrospection(config, token.access_token)
  await oauth.tokenRevocation(config, token.access_token)
  const after = await oauth.tokenIntrospection(config, token.access_token)
  // An ordinary bearer token, which the library accepts without more.
  const bearer = await oauth.clientCredentialsGrant(
    config, { scope: 'ims.register', impu: 'sip:guest-7@ims.example', impi: 'guest-7@ims.example', sid: '9b0c6f' })
  const described = await oauth.tokenIntrospection(config, bearer.access_token)
  console.log(JSON.stringify({
    method,
    registered: config.clientMetadata().token_endpoint_auth_method,
    client_id: config.clientMetadata().client_id,
    token,
    before,
    after,
    bearer: bearer.token_type,
    described,
  }))
}

for (const method of ['client_secret_basic', 'client_secret_post']) {
  const config = await register({ token_endpoint_auth_method: method })
  const secret = config.clientMetadata().client_secret
  const authentication = method === 'client_secret_basic' ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret)
  // A second start of the client: it only discovers.
  await use(method, await oauth.discovery(
    server, config.clientMetadata().client_id, { ...config.clientMetadata() }, authentication,
    { algorithm: 'oauth2', [oauth.customFetch]: plain }))
}

const { privateKey, jwk } = signer()
await use('private_key_jwt', await register(
  { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } },
  oauth.PrivateKeyJwt({ key: await ecdsa(privateKey), kid: jwk.kid })))

await use('self_signed_tls_client_auth', await register(
  { token_endpoint_auth_method: 'self_signed_tls_client_auth', use_mtls_endpoint_aliases: true, jwks: { keys: [certificateJwk()] } },
  oauth.TlsClientAuth(), withCertificate))
