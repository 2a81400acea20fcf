import type { Line } from '../phone/line.ts';
import { texts } from '../../shared/texts/language.ts';

/** The sentence that says how the call stands, with the name of the person. */
export function statusOf(line: Line): string {
  const { status } = texts;
  const of = (text: string) => line.isWithPerson ? `${text.replace(/…$/, '')} · ${line.name}` : text;
  switch (line.phase) {
    case 'media': return line.video ? status.mediaVideo : status.media;
    case 'authorising':
    case 'connecting': return status[line.phase];
    case 'failed': return line.problem?.code === 'no_answer' ? of(status.noAnswer) : status.failed;
    case 'ended': {
      const { name, outcome, transfersTo } = line;
      return transfersTo !== undefined && outcome === 'transferred' ? status.transferred(name, transfersTo) : status.ended;
    }
    case 'inCall': return inCall(line, of);
    default: return of(status[line.phase]);
  }
}

function inCall(line: Line, of: (text: string) => string): string {
  const { status } = texts;
  if (line.transfersTo !== undefined) return status.transferring(line.name, line.transfersTo);
  if (line.held.here) return of(status.heldHere);
  if (line.held.there) return status.heldThere(line.name);
  if (line.isPeerMuted) return status.muted(line.name);
  const local = line.statistics?.local;
  return of(local && local.type !== 'relay' ? status.inCallDirect : status.inCall);
}
