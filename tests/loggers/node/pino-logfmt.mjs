// Fixtures of pino-logfmt as pino's transport. Argument: the output folder.
// The transport prints from a thread, so a child process logs and its output is cut into records here.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { Fixture, isoNs, msNs, stamped } from './fixture.mjs';

const HERE = fileURLToPath(import.meta.url);
const MULTILINE = 'café "x" C:\\new\nsecond line';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const LEVELS = { trace: [1, '10'], debug: [5, '20'], info: [9, '30'], warn: [13, '40'], error: [17, '50'], fatal: [21, '60'] };

function charge() {
  try {
    throw new TypeError('inner');
  } catch (cause) {
    return new Error('outer', { cause });
  }
}

/** The records: level, fields, text, and the keys of the row that the options given allow. */
const records = ({ flattenNestedObjects: flat, escapeMultilineStrings: escaped }) => [
  ['warn', { order: 'o1', n: 7 }, 'paid 7', { attributes: { order: 'o1', n: '7' }, status: null, duration_ms: null }],
  // with escapeMultilineStrings the break is printed as `\\n`: a backslash and an n
  ['info', {}, MULTILINE, escaped ? { body: MULTILINE.replace('\n', '\\n') } : {}],
  ['info', { path: 'C:\\new\\temp', id: '00701', empty: '', ok: true }, 'odd fields', { attributes: { path: 'C:\\new\\temp', id: '00701', empty: '', ok: 'true' } }],
  ['info', { nothing: null, n: 8 }, 'no value', { attributes: flat ? { n: '8' } : { nothing: '', n: '8' } }],
  ['info', { sub: { a: { b: 1.5 } }, list: [1, 'a'], note: 'say "a" = b' }, 'nested', { attributes: { ...(flat ? { sub_a_b: '1.5' } : { sub: '[object Object]' }), list: '1,a', note: 'say "a" = b' } }],
  ['info', { took: 1.50025 }, 'took a number', { duration_ms: null, attributes: { took: '1.50025' } }],
  ['info', { elapsed_ms: 1500.25 }, 'took milliseconds', { duration_ms: 1500.25 }],
  ['error', { err: charge() }, 'failed to pay', flat ? {} : { attributes: { err: '[object Object]' } }],
  ['error', { status: 503, trace_id: TRACE, span_id: SPAN }, 'upstream failed', { status: 503, trace_id: TRACE, span_id: SPAN }],
  ...['trace', 'debug', 'fatal'].map((level) => [level, {}, `level ${level}`, {}]),
];

if (process.argv[2] === '--child') {
  const options = JSON.parse(process.argv[3]);
  const log = pino({ level: 'trace', transport: { target: 'pino-logfmt', options } });
  for (const [level, fields, text] of records(options)) log[level](fields, text);
} else {
  const OUT = process.argv[2];
  for (const [name, options, stamp] of [
    ['pino-logfmt', {}, stamped(/time=(\d+) /, msNs)],
    ['pino-logfmt-flat', { formatTime: true, flattenNestedObjects: true }, stamped(/time=(\S+) /, isoNs)],
    ['pino-logfmt-escape', { formatTime: true, escapeMultilineStrings: true, includeLevelLabel: true }, stamped(/time=(\S+) /, isoNs)],
  ]) {
    const child = spawnSync(process.execPath, [HERE, '--child', JSON.stringify(options)], { encoding: 'utf8' });
    assert.equal(child.status, 0, child.stderr);
    const printed = child.stdout.split(/^(?=level=\d+ )/m);
    const wanted = records(options);
    assert.equal(printed.length, wanted.length, child.stdout);
    const fixture = new Fixture(name, stamp);
    wanted.forEach(([level, , text, row], i) => {
      const label = options.includeLevelLabel ? {} : { severity_text: LEVELS[level][1] };
      fixture.printed(printed[i], { severity_number: LEVELS[level][0], ...label, body: text, ...row });
    });
    fixture.keep(OUT);
  }
}
