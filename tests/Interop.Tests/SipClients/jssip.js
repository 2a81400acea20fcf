// JsSIP, in any version.
import { MediaStream, directionOf } from './browser.js'
import { Call, Phone, until } from './phone.js'

export class JsSipPhone extends Phone {
  constructor(JsSIP, account, options) {
    super(`JsSIP ${JsSIP.version}`, account)
    this.JsSIP = JsSIP
    this.ua = new JsSIP.UA({
      uri: this.impu, sockets: [new JsSIP.WebSocketInterface(this.server)], register: false, session_timers: false,
      registrar_server: `sip:${this.domain}`, register_expires: 600, ...options,
    })
    this.ua.registrator().setExtraHeaders([this.bearer])
    this.ua.on('registrationFailed', ({ response, cause }) => { this.failure = `${cause} ${response?.status_code} ${response?.reason_phrase}` })
    this.ua.on('newRTCSession', ({ originator, session, request }) => {
      if (originator !== 'remote') return
      const call = this.#follow(session)
      call.caller = request.getHeader('P-Asserted-Identity')
      this.calls.push(call)
    })
    this.ua.on('newMessage', ({ originator, request }) => {
      if (originator === 'remote') this.messages.push(request.body)
    })
  }

  async register() {
    if (!this.ua.isConnected()) this.ua.start()
    await until(`${this.name} is connected`, () => this.ua.isConnected())
    this.ua.register()
    // There is no event for a registration that is renewed.
    await until(`${this.name} is registered`, () => {
      if (this.failure) throw new Error(this.failure)
      return this.ua.isRegistered() && !this.ua.registrator()._registering
    })
  }

  async unregister() {
    this.ua.unregister()
    await until(`${this.name} is not registered`, () => !this.ua.isRegistered())
  }

  stop() {
    this.ua.stop()
  }

  call(impu) {
    return this.#follow(this.ua.call(impu, { mediaStream: new MediaStream() }))
  }

  send(impu, text) {
    return new Promise((resolve, reject) => this.ua.sendMessage(impu, text, {
      eventHandlers: {
        succeeded: ({ response }) => resolve(response.status_code),
        failed: ({ response, cause }) => (response ? resolve(response.status_code) : reject(new Error(cause))),
      },
    }))
  }

  #follow(session) {
    const call = new Call()
    const answer = () => session.answer({ mediaStream: new MediaStream() })
    call.actions = {
      accept: answer,
      refuse: code => session.terminate({ status_code: code }),
      hangUp: () => session.terminate(),
      // JsSIP refuses to send a re-INVITE while another one is under way.
      hold: isHeld => new Promise((resolve, reject) => {
        until('ready', () => (isHeld ? session.hold({}, resolve) : session.unhold({}, resolve))).catch(reject)
      }),
    }
    session.on('progress', () => { call.state = 'ringing' })
    session.on('confirmed', () => { call.state = 'established' })
    session.on('ended', () => { call.state = 'ended' })
    session.on('failed', ({ message, cause }) => {
      call.state = cause === this.JsSIP.C.causes.CANCELED ? 'cancelled' : 'refused'
      call.code = message?.status_code ?? 0
    })
    session.on('sdp', ({ originator, type, sdp }) => {
      if (originator === 'remote' && type === 'offer') call.offered = directionOf(sdp)
    })
    return call
  }
}
