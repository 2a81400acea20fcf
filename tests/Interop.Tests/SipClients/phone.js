// One interface for all stacks. A call knows its state and the last direction that the other side offered.

/** Resolves when the condition holds, and fails after some seconds: long before a timer of SIP would end anything (32 s). */
export async function until(what, condition) {
  for (const end = Date.now() + 10_000; ;) {
    const value = condition()
    if (value) return value
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** The same for something that ends by itself. */
export async function within(what, promise) {
  let timer
  const limit = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), 10_000) })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

export class Call {
  state = 'new'
  /** The status of a refusal. */
  code = 0
  offered = ''
  actions = {}
  /** Whether nothing of a former re-INVITE is under way. */
  isSettled = () => true

  is(state) {
    return until(`${state}, but ${this.state} ${this.code}`, () => this.state === state)
  }
}

export class Phone {
  calls = []
  messages = []

  constructor(name, { impu, token, server, domain }) {
    Object.assign(this, { name, impu, token, server, domain })
  }

  get bearer() {
    return `Authorization: Bearer access_token="${this.token}"`
  }

  /** The next call to this phone. */
  async ringing() {
    await until(`${this.name} rings`, () => this.calls.length > 0)
    return this.calls.shift()
  }

  async message() {
    await until(`${this.name} has a message`, () => this.messages.length > 0)
    return this.messages.shift()
  }
}
