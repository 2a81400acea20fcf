// Phones of three stacks register and call each other, each one each other. It prints one JSON object for each pair, for the test that
// runs it. The accounts come in SIP_ACCOUNTS, the address of the server in SIP_SERVER.
import './browser.js'
import newJsSip from 'jssip'
import oldJsSip from 'jssip-2019'
import { JsSipPhone } from './jssip.js'
import { NodeSipPhone } from './nodesip.js'
import { SipJsPhone } from './sipjs.js'
import { until, within } from './phone.js'

const { SIP_SERVER: server, SIP_DOMAIN: domain } = process.env
const accounts = JSON.parse(process.env.SIP_ACCOUNTS).map(account => ({ ...account, server, domain }))
const authority = new URL(server).host

const phones = [
  new SipJsPhone(accounts[0]),
  // RFC 3261 §16.4: these two send a Route with the address of the WebSocket.
  new JsSipPhone(newJsSip, accounts[1], { use_preloaded_route: true }),
  new JsSipPhone(oldJsSip, accounts[2], { use_preloaded_route: true }),
  new SipJsPhone(accounts[3], { preloadedRouteSet: [`<sip:${authority};transport=ws;lr>`] }),
  new NodeSipPhone(accounts[4]),
]

async function answeredCall(caller, callee) {
  const outgoing = caller.call(callee.impu)
  const incoming = await callee.ringing()
  await outgoing.is('ringing')
  incoming.actions.accept()
  await Promise.all([outgoing.is('established'), incoming.is('established')])

  for (const [who, holder, held] of [['caller', outgoing, incoming], ['callee', incoming, outgoing]]) {
    for (const [isHeld, direction] of [[true, 'sendonly'], [false, 'sendrecv']]) {
      await until('settled', () => outgoing.isSettled() && incoming.isSettled())
      await within(`${direction} by the ${who}`, holder.actions.hold(isHeld))
      await until(`${direction} of the ${who}`, () => held.offered === direction)
    }
  }

  incoming.actions.hangUp()
  await Promise.all([outgoing.is('ended'), incoming.is('ended')])
  return incoming.caller
}

async function cancelledCall(caller, callee) {
  const outgoing = caller.call(callee.impu)
  const incoming = await callee.ringing()
  await outgoing.is('ringing')
  outgoing.actions.hangUp()
  await Promise.all([outgoing.is('cancelled'), incoming.is('cancelled')])
}

async function refusedCall(caller, callee) {
  const outgoing = caller.call(callee.impu)
  const incoming = await callee.ringing()
  await outgoing.is('ringing')
  incoming.actions.refuse(486)
  await outgoing.is('refused')
  return outgoing.code
}

async function use(caller, callee) {
  const result = { caller: caller.name, callee: callee.name, step: 'call' }
  try {
    result.asserted = await answeredCall(caller, callee)
    result.step = 'cancel'
    await cancelledCall(caller, callee)
    result.step = 'refuse'
    result.refused = await refusedCall(caller, callee)
    result.step = 'message'
    result.sent = await within('message', caller.send(callee.impu, 'Grüße aus Köln'))
    result.isSame = await callee.message() === 'Grüße aus Köln'
    result.step = 'options'
    result.options = caller.options ? await within('options', caller.options(callee.impu)) : 200
    result.step = 'done'
  } catch (error) {
    result.error = `${error.message}`
  }
  console.log(JSON.stringify(result))
}

for (const phone of phones) {
  await phone.register()
  // Again, over the same connection.
  await phone.register()
}

for (const caller of phones) {
  for (const callee of phones) {
    if (caller !== callee) await use(caller, callee)
  }
}

const [first, ...others] = phones
const unknown = first.call(`sip:nobody@${domain}`)
await unknown.is('refused')
for (const phone of others) await phone.unregister()
const offline = first.call(others[0].impu)
await offline.is('refused')
console.log(JSON.stringify({ unknown: unknown.code, offline: offline.code }))
await first.unregister()
for (const phone of phones) await phone.stop()
process.exit(0)
