// node-sip: its parser, its transactions and its transport. It has no dialogues, so those of this phone are here.
import { createRequire } from 'node:module'
import { describe, directionOf } from './browser.js'
import { Call, Phone, until } from './phone.js'

const require = createRequire(import.meta.url)
const requireOfSip = createRequire(require.resolve('node-sip'))
const WebSocket = requireOfSip('ws')

// node-sip has no path in the address of a WebSocket, closes it after each transaction, and would listen at a port.
class Connection extends WebSocket {
  static latest

  constructor(_, protocol) {
    super(process.env.SIP_SERVER, protocol)
    Connection.latest = this
  }

  terminate() {}
}
Connection.Server = class {
  on() {}
  close() {}
}
requireOfSip.cache[requireOfSip.resolve('ws')].exports = Connection
const sip = require('node-sip')

const random = () => Math.random().toString(36).slice(2)
// node-sip counts characters where Content-Length counts octets.
const octets = text => ({ length: Buffer.byteLength(text), toString: () => text })

export class NodeSipPhone extends Phone {
  #host = `${random()}.invalid`
  #dialogues = new Map()
  #registrations = 0
  #registration = random()

  constructor(account) {
    super(`node-sip ${require('node-sip/package.json').version}`, account)
    this.agent = sip.create({ ws_port: 1, udp: false, tcp: false, hostname: this.#host }, request => this.#handle(request))
    this.contact = [{ uri: `sip:${random()}@${this.#host};transport=ws`, params: {} }]
  }

  register() {
    return this.#register(600)
  }

  unregister() {
    return this.#register(0)
  }

  stop() {
    this.#socket.close()
  }

  call(impu) {
    const dialogue = { id: random(), number: 1, local: this.#self(random()), remote: { uri: impu, params: {} }, target: impu, routes: [] }
    const call = this.#follow(dialogue)
    const invite = this.#request('INVITE', dialogue, describe('sendrecv'))
    dialogue.invite = invite
    this.#send(invite, (response) => {
      if (response.status > 100 && response.status < 200) call.state = 'ringing'
      if (response.status < 200) return
      if (response.status >= 300) {
        call.code = response.status
        call.state = call.code === 487 ? 'cancelled' : 'refused'
        return
      }
      dialogue.remote = response.headers.to
      dialogue.target = response.headers.contact[0].uri
      dialogue.routes = [...response.headers['record-route'] ?? []].reverse()
      this.#dialogues.set(dialogue.id, call)
      this.#acknowledge(dialogue, response)
      call.state = 'established'
    })
    return call
  }

  async send(impu, text) {
    return (await this.#ask(this.#outside('MESSAGE', impu, octets(text), 'text/plain;charset=UTF-8'))).status
  }

  async options(impu) {
    return (await this.#ask(this.#outside('OPTIONS', impu))).status
  }

  async #register(expires) {
    const request = this.#outside('REGISTER', `sip:${this.domain}`)
    request.headers.to = { uri: this.impu, params: {} }
    request.headers.contact = this.contact
    request.headers.expires = `${expires}`
    request.headers.authorization = this.bearer.replace(/^Authorization: /, '')
    request.headers['call-id'] = this.#registration
    request.headers.cseq.seq = ++this.#registrations
    // The first one opens the connection. RFC 5626: all later requests use it.
    if (!this.flow) request.headers.route = [{ uri: { schema: 'sip', host: '127.0.0.1', params: { transport: 'ws', lr: null } } }]
    const sent = this.#ask(request)
    if (!this.flow) await this.#connected()
    const response = await sent
    if (response.status !== 200) throw new Error(`REGISTER: ${response.status} ${response.reason}`)
  }

  async #connected() {
    await until(`${this.name} is connected`, () => Connection.latest?.readyState === WebSocket.OPEN)
    this.#socket = Connection.latest
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket._socket
    this.flow = this.agent.encodeFlowUri(
      { protocol: 'WS', address: remoteAddress, port: remotePort, local: { address: localAddress, port: localPort } })
  }

  #socket

  #self(tag) {
    return { uri: this.impu, params: { tag } }
  }

  #outside(method, uri, content, type) {
    const dialogue = { id: random(), number: 1, local: this.#self(random()), remote: { uri, params: {} }, target: uri, routes: [] }
    return this.#request(method, dialogue, content, type)
  }

  #request(method, dialogue, content, type = 'application/sdp') {
    return {
      method,
      uri: dialogue.target,
      headers: {
        to: dialogue.remote, from: dialogue.local, 'call-id': dialogue.id, cseq: { method, seq: dialogue.number },
        'max-forwards': 70, contact: this.contact, route: [...dialogue.routes], ...content && { 'content-type': type },
      },
      content,
    }
  }

  // The address of the connection is the first route for node-sip, which removes it.
  #send(request, handle) {
    if (this.flow) request.headers.route = [{ uri: this.flow, params: {} }, ...request.headers.route ?? []]
    this.agent.send(request, handle)
  }

  #ask(request) {
    return new Promise(resolve => this.#send(request, (response) => { if (response.status >= 200) resolve(response) }))
  }

  #acknowledge(dialogue, response) {
    const ack = this.#request('ACK', dialogue)
    ack.headers.cseq.seq = response.headers.cseq.seq
    this.#send(ack)
  }

  #answer(request, status, reason, dialogue, content) {
    const { via, to, from, 'call-id': id, cseq, 'record-route': routes } = request.headers
    this.agent.send({
      status,
      reason,
      headers: {
        ...routes && { 'record-route': routes }, via, to: dialogue ? { ...to, params: { ...to.params, tag: dialogue.local.params.tag } } : to,
        from, 'call-id': id, cseq, contact: this.contact, ...content && { 'content-type': 'application/sdp' },
      },
      content,
    })
  }

  #handle(request) {
    const call = this.#dialogues.get(request.headers['call-id'])
    if (request.method === 'INVITE') return call ? this.#renegotiate(call, request) : this.#ring(request)
    if (request.method === 'ACK') return call?.acknowledged()
    if (request.method === 'MESSAGE') this.messages.push(request.content)
    if (['MESSAGE', 'OPTIONS'].includes(request.method)) return this.#answer(request, 200, 'OK')
    if (!call) return this.#answer(request, 481, 'Call/Transaction Does Not Exist')
    if (request.method === 'BYE') call.state = 'ended'
    if (request.method === 'CANCEL') {
      call.actions.refuse(487)
      call.state = 'cancelled'
    }
    this.#answer(request, 200, 'OK', call.dialogue)
  }

  #ring(request) {
    const { to, from, contact, 'call-id': id, 'record-route': routes } = request.headers
    const dialogue = {
      id, number: 0, local: { ...to, params: { ...to.params, tag: random() } }, remote: from, target: contact[0].uri, routes: routes ?? [], invite: request,
    }
    const call = this.#follow(dialogue)
    call.caller = request.headers['p-asserted-identity']
    call.acknowledged = () => {
      if (call.state === 'new') call.state = 'established'
      call.isBusy = false
    }
    this.#dialogues.set(id, call)
    this.#answer(request, 180, 'Ringing', dialogue)
    this.calls.push(call)
  }

  #renegotiate(call, request) {
    call.isBusy = true
    call.offered = directionOf(request.content)
    call.acknowledged = () => {
      if (call.state === 'new') call.state = 'established'
      call.isBusy = false
    }
    this.#answer(request, 200, 'OK', call.dialogue, describe('', request.content))
  }

  #follow(dialogue) {
    const call = Object.assign(new Call(), { dialogue, acknowledged() {} })
    call.isSettled = () => !call.isBusy
    call.actions = {
      accept: () => this.#answer(dialogue.invite, 200, 'OK', dialogue, describe('', dialogue.invite.content)),
      refuse: code => this.#answer(dialogue.invite, code, 'Refused', dialogue),
      hangUp: async () => {
        if (call.state !== 'established') return this.#cancel(dialogue)
        dialogue.number++
        await this.#ask(this.#request('BYE', dialogue))
        call.state = 'ended'
      },
      hold: async (isHeld) => {
        call.isBusy = true
        dialogue.number++
        const response = await this.#ask(this.#request('INVITE', dialogue, describe(isHeld ? 'sendonly' : 'sendrecv')))
        if (response.status !== 200) throw new Error(`re-INVITE: ${response.status}`)
        this.#acknowledge(dialogue, response)
        call.isBusy = false
      },
    }
    return call
  }

  // RFC 3261 §9.1: the same request URI, Via, Call-ID, From, To and number.
  #cancel(dialogue) {
    const { uri, headers: { via, to, from, 'call-id': id, cseq } } = dialogue.invite
    this.#send({
      method: 'CANCEL', uri,
      headers: { via: [{ ...via[0] }], to, from, 'call-id': id, cseq: { seq: cseq.seq, method: 'CANCEL' }, 'max-forwards': 70 },
    }, () => {})
  }
}
