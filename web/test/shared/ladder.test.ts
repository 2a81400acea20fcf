import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../../flow-view/api.ts';
import { packetsText, reasonText as reasonTextFor } from '../../flow-view/call.ts';
import { toSvg } from '../../shared/ladder/drawing.ts';
import { type Ladder, ladderOf as ladderFor, type Span } from '../../shared/ladder/ladder.ts';
import { toMermaid } from '../../shared/ladder/mermaid.ts';
import { languageFor } from '../../shared/texts/language.ts';

const [english, german] = [languageFor(['en']), languageFor(['de'])];
const ladderOf = (spans: Span[]) => ladderFor(spans, english);
const reasonText = (call: Call) => reasonTextFor(call, english);


/** Spans are written as [id, parent, service, name, start, duration, attributes, more]. */
type Line = [string, string, string, string, number, number, Record<string, unknown>?, Partial<Span>?];
const spansOf = (table: Line[]): Span[] => table.map(([id, parent, service, name, start, duration, attributes = {}, more = {}]) => ({
  id, parent, service, name, start, duration, kind: 'internal', attributes, events: [], error: false, message: '', ...more,
}));
const server = { kind: 'server' };
const client = { kind: 'client' };
const failing = (message: string, kind = 'internal') => ({ kind, error: true, message });
const redis = { 'db.system.name': 'redis', 'db.operation.name': 'SET' };
const http = (path: string, status?: number) => ({ 'http.request.method': 'POST', 'url.path': path, ...(status ? { 'http.response.status_code': status } : {}) });

/** Each row in one line. */
const lines = (ladder: Ladder) => ladder.rows.map(row => {
  const arrow = row.kind === 'local' ? '*' : row.failed ? '-x' : row.kind === 'response' ? '..>' : '->';
  return `${row.number || ' '} ${row.kind === 'local' ? row.from : `${row.from}${arrow}${row.to}`} ${row.label}${row.count > 1 ? ` x${row.count}` : ''}${row.isCause ? ` !${row.reason}` : ''}`;
});

const page: Line[] = [
  ['p0', '', 'wic', 'set up call', 0, 200],
  ['p1', 'p0', 'wic', 'click', 0, 5, { 'ims.step': 1 }],
  ['p2', 'p0', 'wic', 'POST', 5, 50, { 'ims.step': 2, ...http('/api/turn-token', 200) }, client],
];
const token: Line[] = [
  ['g1', 'p2', 'wic-web', 'POST', 6, 48, http('/api/turn-token', 200), server],
  ['g2', 'g1', 'wic-web', 'POST', 7, 46, {}, client],
  ['w1', 'g2', 'wwsf', 'POST', 8, 44, http('/api/turn-token', 200), server],
  ['w3', 'w1', 'wwsf', 'check session', 9, 1, { 'ims.step': 3 }],
  ['w4', 'w1', 'wwsf', 'request TURN token', 11, 30, { 'ims.step': 4 }],
  ['wc', 'w4', 'wwsf', 'POST', 12, 28, {}, client],
  ['a1', 'wc', 'waf', 'POST', 13, 26, http('/oauth2/token', 200), server],
  ['a5', 'a1', 'waf', 'token issue', 15, 10, { 'ims.step': 5 }],
  ['ar', 'a5', 'waf', 'SET', 17, 2, redis, client],
  ['w6', 'w1', 'wwsf', 'answer with TURN token', 45, 1, { 'ims.step': 6 }],
];
const handOver: Line[] = [['p7', 'p0', 'wic', 'configure', 56, 2, { 'ims.step': 7 }]];
const allocate = (id: string, start: number, more: Partial<Span> = {}, attributes: Record<string, unknown> = {}): Line => [id, 'a5', 'turn', 'turn allocate', start, 20, { 'ims.step': 8, 'network.transport': 'udp', 'turn.error_code': 0, ...attributes }, { ...server, ...more }];
const whole: Line[] = [...page, ...token, ...handOver, allocate('t1', 60), ['tr', 't1', 'turn', 'SET', 61, 3, redis, client]];

test('A call shows the eight steps of the figure in order', () => {
  const ladder = ladderOf(spansOf(whole));
  assert.deepEqual(ladder.lanes.map(lane => lane.name), ['User', 'WIC', 'WWSF', 'WAF', 'Redis', 'TURN']);
  assert.deepEqual(lines(ladder), [
    '1 user->wic Call',
    '2 wic->wwsf Ask for a TURN token',
    '3 wwsf Check the user',
    '4 wwsf->waf Request token and key',
    '5 waf Make token and key',
    '  waf->redis SET',
    '  waf..>wwsf 200',
    '6 wwsf->wic Token and key',
    '7 wic Hand both to the browser',
    '8 wic->turn Allocate with the token',
    '  turn->redis SET',
    '  turn..>wic success',
  ]);
  assert.equal(ladder.cause, undefined);
});

test('The order in which spans arrive does not matter', () => {
  const ladder = lines(ladderOf(spansOf(whole)));
  assert.deepEqual(lines(ladderOf(spansOf(whole).reverse())), ladder);
});

test('Rows are in the order of time, whatever caused them', () => {
  const ladder = ladderOf(spansOf([
    ...whole,
    allocate('t2', 61, { duration: 40 }, { 'network.transport': 'tcp' }),
    ['r1', 'p0', 'wic', 'renew credentials', 20_000, 900, {}, failing('turn_unreachable')],
  ]));
  const times = ladder.rows.map(row => row.at);
  assert.deepEqual(times, [...times].sort((one, other) => one - other), times.join(' '));
});

test('The clock of a page may be wrong: a part does not answer before it is asked', () => {
  for (const skew of [-40_000, 3000]) {
    const servers = new Set(token.map(([id]) => id));
    const rows = lines(ladderOf(spansOf(whole.map(([id, parent, service, name, start, ...rest]): Line =>
      [id, parent, service, name, start + (servers.has(id) || service === 'turn' ? skew : 0), ...rest]))));
    assert.deepEqual(rows.map(row => row[0]).filter(number => number !== ' '), ['1', '2', '3', '4', '5', '6', '7', '8'], rows.join('\n'));
  }
});

test('A page that sends no spans leaves steps 2 to 6 and 8', () => {
  const numbers = ladderOf(spansOf([...token, allocate('t1', 60)])).rows.map(row => row.number).filter(number => number);
  assert.deepEqual(numbers, ['2', '3', '4', '5', '6', '8']);
});

test('Allocations side by side are one arrow that counts them', () => {
  const rows = lines(ladderOf(spansOf([...page, ...token, allocate('t1', 60), allocate('t2', 61), allocate('t3', 62)])));
  assert.ok(rows.includes('8 wic->turn Allocate with the token x3'), rows.join('\n'));
});

test('Times are those between the arrows', () => {
  const rows = ladderOf(spansOf(whole)).rows;
  const step5 = rows.find(row => row.number === '5');
  assert.equal(step5?.at, 15);
  assert.equal(step5?.took, 10);
});

test('WAF down: step 4 fails, with what the caller saw', () => {
  const ladder = ladderOf(spansOf([
    ...page.slice(0, 2),
    ['p2', 'p0', 'wic', 'POST', 5, 50, { 'ims.step': 2, ...http('/api/turn-token', 503) }, failing('', 'client')],
    ['g1', 'p2', 'wic-web', 'POST', 6, 48, http('/api/turn-token', 503), failing('', 'server')],
    ['g2', 'g1', 'wic-web', 'POST', 7, 46, {}, failing('', 'client')],
    ['w1', 'g2', 'wwsf', 'POST', 8, 44, http('/api/turn-token', 503), failing('', 'server')],
    ['w3', 'w1', 'wwsf', 'check session', 9, 1, { 'ims.step': 3 }],
    ['w4', 'w1', 'wwsf', 'request TURN token', 11, 30, { 'ims.step': 4, 'error.type': 'waf_unavailable' }, failing('')],
    ['wc', 'w4', 'wwsf', 'POST', 12, 28, { 'error.type': 'connection_error' }, failing('', 'client')],
  ]));
  assert.equal(ladder.cause!.number, '4');
  assert.deepEqual([ladder.cause!.from, ladder.cause!.to], ['wwsf', 'waf']);
  assert.equal(ladder.cause!.reason, 'no connection');
  assert.ok(lines(ladder).includes('  wwsf-xwic 503'));
});

test('WAF refuses: step 4 fails with the status', () => {
  const ladder = ladderOf(spansOf([
    ['w1', '', 'wwsf', 'POST', 8, 44, http('/api/turn-token', 502), failing('', 'server')],
    ['w4', 'w1', 'wwsf', 'request TURN token', 11, 30, { 'ims.step': 4, 'error.type': 'waf_refused' }, failing('')],
    ['wc', 'w4', 'wwsf', 'POST', 12, 28, {}, client],
    ['a1', 'wc', 'waf', 'POST', 13, 26, http('/oauth2/token', 401), server],
  ]));
  assert.equal(ladder.cause!.number, '4');
  assert.match(ladder.cause!.reason, /^401/);
});

test('WWSF down: the request ends between page and WWSF', () => {
  const ladder = ladderOf(spansOf([
    ...page.slice(0, 2),
    ['p2', 'p0', 'wic', 'POST', 5, 50, { 'ims.step': 2, ...http('/api/turn-token', 503) }, failing('', 'client')],
    ['g1', 'p2', 'wic-web', 'POST', 6, 48, http('/api/turn-token', 503), failing('', 'server')],
    ['g2', 'g1', 'wic-web', 'POST', 7, 46, { 'url.full': 'http://localhost:8082/api/turn-token', 'error.type': 'connection_error' }, failing('', 'client')],
  ]));
  assert.deepEqual([ladder.cause!.number, ladder.cause!.from, ladder.cause!.to], ['2', 'wic', 'wwsf']);
});

for (const [name, code, message] of [
  ['Replay', 401, 'Unauthenticated'], ['Quota', 486, 'AllocationQuotaReached'], ['No relay address left', 508, 'InsufficientCapacity'],
] as const) {
  test(`${name} at TURN: step 8 fails with ${code}`, () => {
    const ladder = ladderOf(spansOf([...page, ...token, ...handOver, allocate('t1', 60, { error: true, message }, { 'turn.error_code': code })]));
    assert.equal(ladder.cause!.number, '8');
    assert.deepEqual([ladder.cause!.from, ladder.cause!.to], ['wic', 'turn']);
    assert.equal(ladder.cause!.reason, `${code} ${message}`);
    assert.equal(lines(ladder).at(-1), `  turn-xwic ${code} ${message}`);
  });
}

for (const [name, code, reason] of [
  ['Expired token', 'token_expired', 'the token had expired before the TURN server saw it (401)'],
  ['Unknown key id', 'turn_401', 'the TURN server does not accept the token (401): it is forged, or encrypted under a key that the server does not have'],
]) {
  test(`${name} at TURN: such a request belongs to no trace, but the page knows that step 8 failed`, () => {
    const ladder = ladderOf(spansOf([...page, ...token, ...handOver, ['p8', 'p0', 'wic', 'allocate', 58, 100, { 'ims.step': 8, 'error.type': code }, failing('')]]));
    assert.deepEqual([ladder.cause!.number, ladder.cause!.from, ladder.cause!.to], ['8', 'wic', 'turn']);
    assert.equal(ladder.cause!.reason, reason);
  });
}

test('TURN that never answers: the page alone knows of step 8', () => {
  const ladder = ladderOf(spansOf([...page, ...token, ...handOver, ['p8', 'p0', 'wic', 'allocate', 58, 100, { 'ims.step': 8, 'error.type': 'turn_unreachable' }, failing('the TURN server does not answer')]]));
  assert.deepEqual([ladder.cause!.number, ladder.cause!.from, ladder.cause!.to], ['8', 'wic', 'turn']);
  assert.equal(ladder.cause!.reason, 'the TURN server does not answer');
});

test('Step 8 is one arrow where page and TURN both tell of it', () => {
  const rows = ladderOf(spansOf([...whole, ['p8', 'p0', 'wic', 'allocate', 58, 100, { 'ims.step': 8 }]])).rows;
  assert.equal(rows.filter(row => row.number === '8').length, 1);
});

test('Redis down: its arrow fails and the allocation goes on', () => {
  const ladder = ladderOf(spansOf([...page, ...token, ...handOver, allocate('t1', 60), ['tr', 't1', 'turn', 'SET', 61, 250, redis, failing('Redis did not answer in time', 'client')]]));
  assert.deepEqual([ladder.cause!.from, ladder.cause!.to, ladder.cause!.reason], ['turn', 'redis', 'Redis did not answer in time']);
  assert.equal(ladder.rows.find(row => row.number === '8')!.failed, false);
});

test('No guest identity left: the anonymous session fails at the WWSF', () => {
  const ladder = ladderOf(spansOf([['w1', '', 'wwsf', 'POST', 0, 4, http('/api/session/anonymous', 503), failing('', 'server')]]));
  assert.deepEqual([ladder.cause!.from, ladder.cause!.to, ladder.cause!.label, ladder.cause!.reason], ['wic', 'wwsf', 'POST /api/session/anonymous', '503']);
});

test('A SIP call goes over the eP-CSCF to the peer; who is not registered is a 404', () => {
  const invite = { 'sip.method': 'INVITE' };
  const reached = ladderOf(spansOf([
    ['p0', '', 'wic', 'set up call', 0, 100],
    ['e1', 'p0', 'ep-cscf', 'SIP INVITE', 2, 40, { ...invite, 'sip.status_code': 200 }, server],
    ['e2', 'e1', 'ep-cscf', 'SIP INVITE', 5, 30, { ...invite, 'sip.status_code': 200 }, client],
  ]));
  assert.deepEqual(lines(reached), ['  wic->ep-cscf SIP INVITE', '  ep-cscf->peer SIP INVITE', '  peer..>ep-cscf 200', '  ep-cscf..>wic 200']);
  const unknown = ladderOf(spansOf([['e1', '', 'ep-cscf', 'SIP INVITE', 2, 4, { ...invite, 'sip.status_code': 404 }, server]]));
  assert.equal(unknown.cause!.reason, '404 nobody is registered under that address');
});

test('A branch of a call that another branch answered has not failed, and points nowhere', () => {
  const invite = (status: number) => ({ 'sip.method': 'INVITE', 'sip.status_code': status });
  const call = (answer: number, stale: number, cancelled: number) => ladderOf(spansOf([
    ['p0', '', 'wic', 'INVITE', 0, 60, invite(answer), client],
    ['e1', 'p0', 'ep-cscf', 'SIP INVITE', 2, 56, invite(answer), server],
    ['e2', 'e1', 'ep-cscf', 'SIP INVITE', 5, 30, invite(stale), client],
    ['e3', 'e1', 'ep-cscf', 'SIP INVITE', 6, 40, invite(cancelled), client],
    ['q3', 'e3', 'wic', 'INVITE', 8, 36, invite(cancelled), server],
    ['e4', 'e1', 'ep-cscf', 'SIP INVITE', 7, 50, invite(answer), client],
  ]));
  const answered = call(200, 480, 487);
  assert.deepEqual(answered.rows.filter(row => row.failed), []);
  assert.equal(answered.cause, undefined);
  assert.ok(lines(answered).includes('  peer..>ep-cscf 480') && lines(answered).includes('  peer..>ep-cscf 487'), lines(answered).join('\n'));

  const refused = call(486, 480, 487);
  assert.ok(refused.rows.some(row => row.failed && row.from === 'ep-cscf' && row.reason === '480 not reachable at the moment'));
  assert.ok(refused.cause);
});

test('The page of the called one is the peer, with steps of its own', () => {
  const invite = { 'sip.method': 'INVITE', 'sip.status_code': 200 };
  const ofPeer = token.map(([id, parent, service, name, start, ...rest]): Line => [`b${id}`, parent === 'p2' ? 'bp2' : `b${parent}`, service, name, start + 89, ...rest]);
  const rows = lines(ladderOf(spansOf([
    ...whole,
    ['e1', 'p7', 'ep-cscf', 'SIP INVITE', 90, 100, invite, server],
    ['e2', 'e1', 'ep-cscf', 'SIP INVITE', 91, 98, invite, client],
    ['bp0', 'e2', 'wic', 'set up call', 92, 90],
    ['bp1', 'bp0', 'wic', 'click', 92, 2, { 'ims.step': 1 }],
    ['bp2', 'bp0', 'wic', 'POST', 94, 50, { 'ims.step': 2 }, client],
    ...ofPeer,
    ['bp7', 'bp0', 'wic', 'configure', 150, 2, { 'ims.step': 7 }],
    ['bt1', 'ba5', 'turn', 'turn allocate', 155, 5, { 'ims.step': 8, 'turn.error_code': 0 }, server],
  ])));
  assert.deepEqual(rows.slice(rows.indexOf('  wic->ep-cscf SIP INVITE')), [
    '  wic->ep-cscf SIP INVITE',
    '  ep-cscf->peer SIP INVITE',
    '1 peer Answer',
    '2 peer->wwsf Ask for a TURN token',
    '3 wwsf Check the user',
    '4 wwsf->waf Request token and key',
    '5 waf Make token and key',
    '  waf->redis SET',
    '  waf..>wwsf 200',
    '6 wwsf->peer Token and key',
    '7 peer Hand both to the browser',
    '8 peer->turn Allocate with the token',
    '  turn..>peer success',
    '  peer..>ep-cscf 200',
    '  ep-cscf..>wic 200',
  ]);
});

test('What the called one\'s browser allocates after the call was set up is the peer\'s', () => {
  const invite = { 'sip.method': 'INVITE', 'sip.status_code': 200 };
  const rows = lines(ladderOf(spansOf([
    ['p0', '', 'wic', 'set up call', 0, 60],
    ['e1', 'p0', 'ep-cscf', 'SIP INVITE', 2, 50, invite, server],
    ['e2', 'e1', 'ep-cscf', 'SIP INVITE', 3, 48, invite, client],
    ['bp0', 'e2', 'wic', 'set up call', 5, 40],
    ['bn', 'bp0', 'wic', 'renew credentials', 500, 20],
    ['bw', 'bn', 'wwsf', 'POST', 501, 18, http('/api/turn-token', 200), server],
    ['bt', 'bw', 'turn', 'turn allocate', 900, 5, { 'ims.step': 8, 'turn.error_code': 0 }, server],
  ])));
  assert.ok(rows.includes('8 peer->turn Allocate with the token'), rows.join('\n'));
  assert.ok(!rows.some(row => /wic->(turn|wwsf)/.test(row)), rows.join('\n'));
});

test('Services that the figure does not know get lanes of their own', () => {
  const ladder = ladderOf(spansOf([
    ['s1', '', 'shop', 'GET', 0, 10, {}, server],
    ['s2', 's1', 'shop', 'GET', 1, 8, {}, client],
    ['s3', 's2', 'stock', 'GET', 2, 6, {}, server],
  ]));
  assert.deepEqual(ladder.lanes.map(lane => lane.id), ['user', 'shop', 'stock']);
});

test('Spans that are each other\'s parents, or none at all, end', () => {
  assert.deepEqual(ladderOf([]).rows, []);
  const circle = spansOf([['x', 'y', 'waf', 'x', 0, 10, {}, server], ['y', 'x', 'waf', 'y', 0, 10, {}, server]]);
  assert.ok(Array.isArray(ladderOf(circle).rows));
});

test('A span\'s name cannot become an element of the SVG, nor a line of the Mermaid text', () => {
  const ladder = ladderOf(spansOf([['x', '', 'waf', '<script>alert(1)</script>\nA->>B: forged & "quoted"\u0000', 0, 1, {}, server]]));
  const svg = toSvg(ladder);
  assert.ok(!svg.includes('<script'), svg);
  assert.ok(!svg.includes('\u0000'));
  assert.ok(svg.includes('&lt;script'));
  assert.ok(!toMermaid(ladder).split('\n').some(line => line.startsWith('A->>B')));
});

test('The SVG stands alone: no style sheet, no variable, both themes', () => {
  for (const theme of ['light', 'dark'] as const) {
    const svg = toSvg(ladderOf(spansOf(whole)), theme);
    assert.ok(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
    assert.ok(!svg.includes('var('));
    assert.equal(svg.match(/<g /g)!.length, svg.match(/<\/g>/g)!.length);
  }
});

test('Mermaid gets participants, arrows, notes and the failure', () => {
  const text = toMermaid(ladderOf(spansOf([...page, ...token, ...handOver, allocate('t1', 60, { error: true, message: 'AllocationQuotaReached' }, { 'turn.error_code': 486 })])));
  assert.match(text, /^sequenceDiagram\n {2}participant L0 as User\n/);
  assert.match(text, /L1->>L2: \(2\) Ask for a TURN token 44\.0 ms/);
  assert.match(text, /L1-xL5: \(8\) Allocate with the token/);
  assert.match(text, /Note over L1,L5: ✗ 486 AllocationQuotaReached/);
});

test('The list of calls gives the reason of the ladder', () => {
  const cause = spansOf([['w4', '', 'wwsf', 'request TURN token', 0, 5, { 'ims.step': 4, 'error.type': 'waf_unavailable' }, failing('')]])[0]!;
  const call: Call = { id: '1', kind: 'echo', outcome: 'failed', name: '', who: [], cause, failed_step: '4', start: 0, arrival: 0, duration: 5, set_up: null, packets_received: null, packets_lost: null, spans: 1, steps: [] };
  assert.equal(reasonText(call), 'step 4: the WAF does not answer');
  assert.equal(reasonText({ ...call, failed_step: '' }), 'the WAF does not answer');
  assert.equal(reasonText({ ...call, outcome: 'worked' }), 'A part failed: step 4: the WAF does not answer');
  assert.equal(reasonText({ ...call, outcome: 'cancelled' }), '');
  assert.equal(reasonText({ ...call, cause: null }), '');
  assert.equal(packetsText(call, english), '');
  assert.equal(packetsText({ ...call, packets_received: 1234, packets_lost: 3 }, english), '3 of 1,237 packets lost');
});

test('A call that was dropped has a mark at its end, with the reason', () => {
  const ladder = ladderOf(spansOf([...whole, ['pc', 'p0', 'wic', 'in call', 200, 70_000, { 'error.type': 'connection_lost' }, failing('')]]));
  const last = ladder.rows.at(-1)!;
  assert.deepEqual([last.kind, last.at, last.isCause, last.reason], ['local', 70_200, true, 'the path was lost and not restored within a minute']);
});

test('A request that was given up is one without an answer in time', () => {
  const given = spansOf([['w4', '', 'wwsf', 'request TURN token', 0, 5, { 'ims.step': 4, 'error.type': 'System.Threading.Tasks.TaskCanceledException' }, failing('The operation was canceled.', 'client')]]);
  assert.equal(ladderOf(given).cause?.reason, 'no answer in time');
});

test('The ladder speaks the language of its reader', () => {
  const ladder = ladderFor(spansOf([...page, ...token, ...handOver, ['p8', 'p0', 'wic', 'allocate', 58, 1500, { 'ims.step': 8, 'error.type': 'turn_unreachable' }, failing('')]]), german);
  assert.equal(ladder.cause!.reason, 'der TURN-Server antwortet nicht');
  assert.deepEqual(ladder.rows.slice(0, 3).map(row => row.label), ['Anruf', 'TURN-Token anfordern', 'Nutzer prüfen']);
  const svg = toSvg(ladder);
  assert.ok(svg.includes('aria-label="Schritt 8, WIC an TURN, Mit dem Token allozieren, 1500 ms, fehlgeschlagen: der TURN-Server antwortet nicht"'), svg);
  assert.ok(svg.includes('Ablaufdiagramm von Nutzer, WIC, WWSF'), svg);
  assert.match(toMermaid(ladder), /\(2\) TURN-Token anfordern 44,0 ms/);
});

test('a call that was dropped: the restoration that failed is the cause, although its requests worked', () => {
  const ladder = ladderOf(spansOf([
    ...page,
    ['pc', 'p0', 'wic', 'in call', 200, 70_000, { 'error.type': 'connection_lost' }, failing('')],
    ['pr', 'p0', 'wic', 'renew credentials', 10_000, 60_000, { 'error.type': 'turn_unreachable' }, failing('')],
    ['pg', 'pr', 'wwsf', 'POST', 10_010, 40, http('/api/turn-token', 200), server],
  ]));
  assert.equal(ladder.cause?.span, 'pr');
  assert.match(ladder.cause.reason, /the TURN server does not answer/);
  assert.ok(ladder.rows.some(row => row.span === 'pg'));
});
