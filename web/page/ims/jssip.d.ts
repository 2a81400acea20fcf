declare module 'jssip/lib/RequestSender.js' {
  interface Handlers {
    onReceiveResponse(response: { status_code: number; body: string }): void;
    onRequestTimeout(): void;
    onTransportError(): void;
  }
  export default class RequestSender {
    constructor(agent: object, request: object, handlers: Handlers);
    send(): void;
  }
}
