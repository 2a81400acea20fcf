import type { MakeLeg } from '../call/callFlow.ts';
import { announcement, CallFeatures, type FeatureEvents } from '../ims/features.ts';
import type { Registration } from '../ims/registration.ts';
import { SipCall } from '../ims/sipCall.ts';
import type { FarEnd, Line } from './line.ts';
import { ringLimit } from './ringing.ts';

type Session = NonNullable<ReturnType<Registration['call']>>;

/** Makes the SIP call of a line: one that goes out, one that came in, or one that the far end of another line asked for. */
export function sipLeg(
  line: Line, farEnd: Exclude<FarEnd, { kind: 'echo' }>, registration: Registration, answering: () => void,
  events: FeatureEvents): MakeLeg {
  const begin = (options: object): Session | undefined => {
    if (farEnd.kind === 'person') return farEnd.referral ? farEnd.referral.accept(options) : registration.call(farEnd.address, options);
    const { session } = farEnd.call;
    answering();
    if (session.isEnded()) return undefined;
    session.answer(options);
    return session;
  };
  // RFC 3261 §13.2.1: the callee stops ringing after this time.
  const fields = farEnd.kind === 'person' ? [announcement, `Expires: ${ringLimit}`] : [announcement];
  return (media, configuration, legEvents, trace) => line.call = new SipCall(media, configuration, {
    isCallee: farEnd.kind === 'caller',
    isOnline: () => registration.state === 'online',
    begin: ({ extraHeaders = [], ...options }) => {
      const session = begin({ ...options, extraHeaders: [...extraHeaders, ...fields] });
      const { identity } = registration;
      const invite = farEnd.kind === 'caller' ? farEnd.call.invite : undefined;
      if (session && identity) line.features = new CallFeatures(session, invite, identity, events);
      return session;
    },
  }, trace, legEvents);
}
