// SIP.js, with a session description handler of our own, because there is no media.
import { Inviter, Messager, Registerer, RegistererState, SessionState, UserAgent } from 'sip.js'
import { describe, directionOf } from './browser.js'
import { Call, Phone, until } from './phone.js'

class Descriptions {
  offer = ''
  onOffer = () => {}

  async getDescription(options) {
    const body = describe(options?.hold ? 'sendonly' : 'sendrecv', this.offer)
    this.offer = ''
    return { body, contentType: 'application/sdp' }
  }

  async setDescription(sdp) {
    this.offer = this.isAnswerExpected ? '' : sdp
    if (!this.isAnswerExpected) this.onOffer(directionOf(sdp))
    this.isAnswerExpected = false
  }

  hasDescription = contentType => contentType === 'application/sdp'
  close() {}
}

// The handler does not see whether it sends an offer; it does if it has none of the other side.
const describeOffers = (handler) => {
  const get = handler.getDescription.bind(handler)
  handler.getDescription = (options) => {
    handler.isAnswerExpected = handler.offer === ''
    return get(options)
  }
  return handler
}

export class SipJsPhone extends Phone {
  constructor(account, options = {}) {
    super(`SIP.js ${UserAgent.defaultOptions().userAgentString?.split('/')[1] ?? ''}`.trim(), account)
    this.agent = new UserAgent({
      uri: UserAgent.makeURI(this.impu),
      logLevel: 'error',
      transportOptions: { server: this.server },
      sessionDescriptionHandlerFactory: () => describeOffers(new Descriptions()),
      delegate: {
        onInvite: (invitation) => {
          const call = this.#follow(invitation)
          call.caller = invitation.request.getHeader('P-Asserted-Identity')
          this.calls.push(call)
        },
        onMessage: (message) => {
          this.messages.push(message.request.body)
          message.accept()
        },
      },
      ...options,
    })
  }

  async register() {
    if (!this.agent.isConnected()) await this.agent.start()
    this.registerer ??= new Registerer(this.agent, { extraHeaders: [this.bearer], expires: 600, registrar: UserAgent.makeURI(`sip:${this.domain}`) })
    await new Promise((resolve, reject) => this.registerer.register({
      requestDelegate: { onAccept: resolve, onReject: response => reject(new Error(`REGISTER: ${response.message.statusCode}`)) },
    }))
  }

  async unregister() {
    await this.registerer.unregister({ requestOptions: { extraHeaders: [this.bearer] } })
    await until(`${this.name} is not registered`, () => this.registerer.state === RegistererState.Unregistered)
  }

  stop() {
    return this.agent.stop()
  }

  call(impu) {
    const inviter = new Inviter(this.agent, UserAgent.makeURI(impu))
    const call = this.#follow(inviter)
    inviter.invite({
      requestDelegate: {
        onProgress: (response) => { if (response.message.statusCode > 100) call.state = 'ringing' },
        onReject: (response) => {
          call.code = response.message.statusCode
          call.state = call.code === 487 ? 'cancelled' : 'refused'
        },
      },
    })
    return call
  }

  send(impu, text) {
    return new Promise((resolve, reject) => new Messager(this.agent, UserAgent.makeURI(impu), text).message({
      requestDelegate: {
        onAccept: response => resolve(response.message.statusCode),
        onReject: response => resolve(response.message.statusCode),
      },
    }).catch(reject))
  }

  options(impu) {
    const { userAgentCore, contact } = this.agent
    const to = UserAgent.makeURI(impu)
    const message = userAgentCore.makeOutgoingRequestMessage('OPTIONS', to, UserAgent.makeURI(this.impu), to, { contact: contact.uri })
    return new Promise(resolve => userAgentCore.request(message, {
      onAccept: response => resolve(response.message.statusCode),
      onReject: response => resolve(response.message.statusCode),
    }))
  }

  #follow(session) {
    const call = new Call()
    call.actions = {
      accept: () => session.accept(),
      refuse: code => session.reject({ statusCode: code }),
      hangUp: () => (session instanceof Inviter && session.state !== SessionState.Established ? session.cancel() : session.bye()),
      hold: isHeld => new Promise((resolve, reject) => session.invite({
        sessionDescriptionHandlerOptions: { hold: isHeld },
        requestDelegate: { onAccept: resolve, onReject: response => reject(new Error(`re-INVITE: ${response.message.statusCode}`)) },
      }).catch(reject)),
    }
    // SIP.js does not send or accept a re-INVITE before the ACK of the former one has been handled (RFC 3261 §14.1, RFC 6337 §4.3).
    call.isSettled = () => !session.dialog.reinviteUserAgentServer && !session.dialog.ackProcessing
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) call.state = 'established'
      if (state === SessionState.Terminated && call.state === 'established') call.state = 'ended'
    })
    session.delegate = {
      onCancel: () => { call.state = 'cancelled' },
      onSessionDescriptionHandler: (handler) => { handler.onOffer = (direction) => { call.offered = direction } },
    }
    return call
  }
}
