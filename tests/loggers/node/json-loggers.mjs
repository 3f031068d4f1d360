// Fixtures of the JSON loggers. Argument: the output folder.
import { Writable } from 'node:stream';
import { configure, getLogger, jsonLinesFormatter } from '@logtape/logtape';
import bunyan from 'bunyan';
import { createRequestLogger, initLogger, log as evlog } from 'evlog';
import pino from 'pino';
import { Roarr } from 'roarr';
import { Logger } from 'tslog';
import winston from 'winston';
import { Fixture, LateFixture, isoNs, msNs, observed, stamped } from './fixture.mjs';

const OUT = process.argv[2];
const MULTILINE = 'café "x" C:\\new\nsecond line';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const BIG = 2n ** 63n + 1n;
const NUMBERS = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 };
const NO_EXCEPTION = { exception_type: null, exception_message: null, exception_stacktrace: null };
const PLAIN = { ...NO_EXCEPTION, duration_ms: null, status: null };
const stdout = { write: (text) => process.stdout.write(text) };

function charge() {
  try {
    throw new TypeError('inner');
  } catch (cause) {
    return new Error('outer', { cause });
  }
}

const plainError = () => new RangeError('too much');
const many = () => new AggregateError([new Error('first'), new TypeError('second')], 'many');

/** The value under a path of keys of a JSON line. */
const at = (...keys) => (text) => keys.reduce((found, key) => found[key], JSON.parse(text));

/** `shown` gives a level's printed token; `say(level, text, fields)` logs. */
function common(fixture, say, shown, { bigint = true, levels = [] } = {}) {
  const record = (level, text, given, row = {}) =>
    fixture.record(() => say(level, text, given), { severity_number: NUMBERS[level], severity_text: shown(level), body: text, ...row });
  record('warn', 'paid 7', { order: 'o1', n: 7 }, { ...PLAIN, attributes: { order: 'o1', n: '7' } });
  record('info', MULTILINE, undefined, PLAIN);
  record('info', 'took a number', { took: 1.50025 }, { duration_ms: null, attributes: { took: '1.50025' } });
  record('info', 'took milliseconds', { durationMs: 1500.25 }, { duration_ms: 1500.25 });
  record('info', 'took text', { elapsed: '1.50025s' }, { attributes: { elapsed: '1.50025s' } });
  for (const level of levels) record(level, `level ${level}`);
  const odd = { ok: true, nothing: null, nan: NaN, when: new Date(0), missing: undefined, list: [1, 'a'], sub: { a: { b: 1.5 } } };
  if (bigint) odd.big = BIG;
  record('info', 'odd fields', odd, {
    attributes: {
      ok: 'true', nothing: null, nan: null, when: '1970-01-01T00:00:00.000Z', list: '[1,"a"]', sub: '{"a":{"b":1.5}}',
      ...(bigint && { big: `${BIG}` }),
    },
  });
  record('error', 'upstream failed', { status: 503, trace_id: TRACE, span_id: SPAN }, { status: 503, trace_id: TRACE, span_id: SPAN });
  record('info', 'camel case', { traceId: TRACE, spanId: SPAN, status_code: 404 }, { status: 404, trace_id: TRACE, span_id: SPAN });
  record('info', 'odd status', { status: 42 }, { status: null, attributes: { status: '42' } });
  record('info', 'café ☕ 𝄞 \t tab', { note: '日本\u2028語 \u001b[31mred' }, { attributes: { note: '日本\u2028語 \u001b[31mred' } });
  return record;
}

const number = (levels) => (level) => `${levels[level]}`;
const tens = number({ trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 });

// pino
{
  const fixture = new Fixture('pino', stamped(/"time":(\d+)/, msNs));
  const log = pino({ level: 'trace' }, stdout);
  common(fixture, (level, text, fields) => log[level](fields ?? {}, text), tens, { levels: ['trace', 'debug', 'fatal'] });
  const error = { severity_number: 17, severity_text: '50' };
  const info = { severity_number: 9, severity_text: '30' };
  // with a cause err.message is `outer: inner`: no expectation of exception_message
  fixture.record(() => log.error(charge(), 'failed to pay'), { ...error, body: 'failed to pay', exception_type: 'Error', exception_stacktrace: at('err', 'stack') });
  fixture.record(() => log.error({ err: charge(), order: 'o1' }, 'failed again'), { ...error, body: 'failed again', exception_type: 'Error', exception_stacktrace: at('err', 'stack'), attributes: { order: 'o1' } });
  fixture.record(() => log.error(plainError()), { ...error, body: 'too much', exception_type: 'RangeError', exception_message: 'too much', exception_stacktrace: at('err', 'stack') });
  fixture.record(() => log.error(many(), 'failed to pay'), { ...error, body: 'failed to pay', exception_type: 'AggregateError', exception_message: 'many', exception_stacktrace: at('err', 'stack') });
  fixture.record(() => log.error({ error: charge() }, 'other key'), { ...error, body: 'other key', attributes: { error: '{}' } });
  fixture.record(() => log.info({ a: 1 }), { ...info, attributes: { a: '1' } });
  fixture.record(() => log.info({ msg: { a: 1 } }), { ...info, body: '{"a":1}' });
  fixture.record(() => log.info({ msg: null }), info);
  // repeated keys: own level and time first, own message last; of child and event the event last
  fixture.record(() => log.info({ level: 99, time: 1, msg: 'x' }, 'own names'), { ...info, body: 'own names' });
  fixture.record(() => log.child({ tenant: 't1' }).info({ tenant: 't2' }, 'child'), { ...info, body: 'child', attributes: { tenant: 't2' } });
  fixture.keep(OUT);
}

// pino with words as levels and ISO times, its usual production options
{
  const fixture = new Fixture('pino-labels', stamped(/"time":"([^"]+)"/));
  const log = pino({ level: 'trace', messageKey: 'message', base: undefined, formatters: { level: (label) => ({ level: label }) }, timestamp: pino.stdTimeFunctions.isoTime }, stdout);
  common(fixture, (level, text, fields) => log[level](fields ?? {}, text), (level) => level, { levels: ['trace', 'debug', 'fatal'] });
  fixture.keep(OUT);
}

// bunyan
{
  const fixture = new Fixture('bunyan', stamped(/"time":"([^"]+)"/));
  const options = { name: 'app', level: 'trace', stream: stdout };
  const log = bunyan.createLogger({ ...options, serializers: bunyan.stdSerializers });
  common(fixture, (level, text, fields) => log[level](fields ?? {}, text), tens, { bigint: false, levels: ['trace', 'debug', 'fatal'] });
  const error = { severity_number: 17, severity_text: '50' };
  const info = { severity_number: 9, severity_text: '30' };
  fixture.record(() => log.error(charge(), 'failed to pay'), { ...error, body: 'failed to pay', exception_type: 'Error', exception_message: 'outer', exception_stacktrace: at('err', 'stack') });
  fixture.record(() => log.error(plainError()), { ...error, body: 'too much', exception_type: 'RangeError', exception_message: 'too much', exception_stacktrace: at('err', 'stack') });
  fixture.record(() => bunyan.createLogger(options).error({ err: Object.assign(charge(), { code: 'E1' }) }, 'no serializers'), { ...error, body: 'no serializers' });
  fixture.record(() => log.info({ a: 1 }), { ...info, body: '', attributes: { a: '1' } });
  fixture.keep(OUT);
}

// winston
class Stdout extends Writable {
  _write(chunk, _encoding, done) {
    process.stdout.write(chunk.toString());
    done();
  }
}
const winstonLogger = (...formats) =>
  winston.createLogger({ level: 'silly', format: winston.format.combine(...formats, winston.format.json()), transports: [new winston.transports.Stream({ stream: new Stdout() })] });
const firstLine = (text) => /^(\w+): (.*)/.exec(at('stack')(text));
// winston names no type: it is in the first line of `stack`
const stackRow = { exception_type: (text) => firstLine(text)[1], exception_message: (text) => firstLine(text)[2], exception_stacktrace: at('stack') };
for (const [name, stamp, log] of [
  ['winston', observed, winstonLogger()],
  ['winston-errors', stamped(/"timestamp":"([^"]+)"/), winstonLogger(winston.format.timestamp(), winston.format.errors({ stack: true }))],
]) {
  const fixture = new Fixture(name, stamp);
  common(fixture, (level, text, fields) => log[level](text, fields), (level) => level, { levels: ['debug'] });
  // http, verbose and silly stand in no table: only their text
  for (const level of ['http', 'verbose', 'silly']) fixture.record(() => log[level](`level ${level}`), { severity_text: level, body: `level ${level}` });
  const error = { severity_number: 17, severity_text: 'error' };
  const info = { severity_number: 9, severity_text: 'info' };
  fixture.record(() => log.error('failed to pay', charge()), { ...error, ...stackRow, body: 'failed to pay outer' });
  fixture.record(() => log.error('failed again', plainError()), { ...error, ...stackRow, body: 'failed again too much' });
  if (name === 'winston') fixture.record(() => log.error(charge()), error);
  else {
    fixture.record(() => log.error(charge()), { ...error, ...stackRow, body: 'outer' });
    fixture.record(() => log.error('under a key', { err: charge() }), { ...error, body: 'under a key', attributes: { err: '{}' } });
    const timer = log.startTimer();
    fixture.record(() => timer.done({ level: 'info', message: 'timed' }), { ...info, body: 'timed', duration_ms: at('durationMs') });
  }
  fixture.record(() => log.info('m', { message: 'x' }), { ...info, body: 'm x' });
  fixture.record(() => log.info({ a: 1 }), { ...info, body: '{"a":1}' });
  fixture.record(() => log.info('meta', [1, 2]), { ...info, body: 'meta', attributes: { 0: '1', 1: '2' } });
  // a `%` without splat(): the text as it is, the other arguments are lost
  fixture.record(() => log.info('splat %s', 'x', { order: 'o1' }), { ...info, body: 'splat %s' });
  fixture.keep(OUT);
}

// roarr: the fields stand in `context`
{
  const fixture = new Fixture('roarr', stamped(/"time":(\d+)/, msNs));
  const log = Roarr.child({ package: 'pay' });
  common(fixture, (level, text, fields) => (fields ? log[level](fields, text) : log[level](text)), tens, { levels: ['trace', 'debug', 'fatal'] });
  fixture.record(() => log.error({ error: charge() }, 'failed to pay'), { severity_number: 17, severity_text: '50', body: 'failed to pay', attributes: { package: 'pay' } });
  fixture.record(() => log('bare'), { severity_number: null, severity_text: null, body: 'bare' });
  fixture.record(() => log.warn('paid %d', 7), { severity_number: 13, severity_text: '40', body: 'paid 7' });
  fixture.keep(OUT);
}

// tslog: the stack is an array of objects
{
  const fixture = new LateFixture('tslog', stamped(/"time":"([^"]+)"/));
  const log = new Logger({ name: 'app', type: 'json', minLevel: 0 });
  const upper = (level) => level.toUpperCase();
  common(fixture, (level, text, fields) => (fields ? log[level](text, fields) : log[level](text)), upper, { levels: ['trace', 'debug', 'fatal'] });
  fixture.record(() => log.silly('level silly'), { severity_text: 'SILLY', body: 'level silly' });
  const error = { severity_number: 17, severity_text: 'ERROR' };
  const outer = { exception_type: 'Error', exception_message: 'outer' };
  fixture.record(() => log.error('failed to pay', charge()), { ...error, ...outer, body: 'failed to pay' });
  fixture.record(() => log.error(charge()), { ...error, ...outer });
  // the error stands under `message`, the text under "1"
  fixture.record(() => log.error(charge(), 'failed to pay'), { ...error, ...outer, body: 'failed to pay' });
  fixture.record(() => log.error('under a key', { err: charge(), order: 'o1' }), { ...error, body: 'under a key', attributes: { order: 'o1' } });
  const info = { severity_number: 9, severity_text: 'INFO' };
  fixture.record(() => log.info({ a: 1 }), { ...info, attributes: { a: '1' } });
  fixture.record(() => log.info('many', 'b', 3, { x: 1 }), { ...info, body: 'many', attributes: { 1: 'b', 2: '3', 3: '{"x":1}' } });
  fixture.record(() => log.info('own names', { level: 'x', time: 't', message: 'm', keep: 1 }), { ...info, body: 'own names', attributes: { keep: '1' } });
  await fixture.settle();
  fixture.keep(OUT);
}

// LogTape: the fields stand in `properties`
{
  const fixture = new Fixture('logtape', stamped(/"@timestamp":"([^"]+)"/));
  await configure({
    sinks: { stdout: (record) => process.stdout.write(jsonLinesFormatter(record)) },
    loggers: [
      { category: ['logtape', 'meta'], lowestLevel: 'error', sinks: ['stdout'] },
      { category: ['app', 'pay'], lowestLevel: 'trace', sinks: ['stdout'] },
    ],
  });
  const log = getLogger(['app', 'pay']);
  const upper = (level) => level.toUpperCase();
  common(fixture, (level, text, fields) => log[level](text, fields), upper, { levels: ['trace', 'debug', 'fatal'] });
  const error = { severity_number: 17, severity_text: 'ERROR' };
  const outer = { exception_type: 'Error', exception_message: 'outer', exception_stacktrace: at('properties', 'error', 'stack') };
  fixture.record(() => log.error('failed to pay', { error: charge() }), { ...error, ...outer, body: 'failed to pay' });
  fixture.record(() => log.error(charge()), { ...error, ...outer, body: '"outer"' });
  const info = { severity_number: 9, severity_text: 'INFO' };
  fixture.record(() => log.info('paid {n} to {who}', { n: 7, who: 'café "x"' }), { ...info, body: 'paid 7 to "café \\"x\\""', attributes: { n: '7', who: 'café "x"' } });
  fixture.record(() => log.info`tagged ${{ a: 1 }} and ${'x'}`, { ...info, body: 'tagged {"a":1} and "x"' });
  fixture.record(() => log.info({ a: 1 }), { ...info, attributes: { a: '1' } });
  fixture.keep(OUT);
}

// evlog
{
  const fixture = new Fixture('evlog', (text) => ({ time_ns: isoNs(JSON.parse(text).timestamp), time_source: 'record' }));
  initLogger({ env: { service: 'pay', environment: 'production' }, pretty: false });
  common(fixture, (level, text, fields) => evlog[level]({ message: text, ...fields }), (level) => level, { bigint: false, levels: ['debug'] });
  const error = { severity_number: 17, severity_text: 'error' };
  fixture.record(() => evlog.error({ message: 'failed to pay', error: charge() }), { ...error, body: 'failed to pay', attributes: { error: '{}' } });
  fixture.record(() => evlog.warn('pay', 'tagged'), { severity_number: 13, severity_text: 'warn', body: 'tagged', attributes: { tag: 'pay' } });
  fixture.record(() => evlog.info({ a: 1 }), { severity_number: 9, severity_text: 'info', attributes: { a: '1' } });
  const wide = (row, work) => {
    const request = createRequestLogger({ method: 'GET', path: '/x', requestId: 'r1' });
    const status = work(request);
    fixture.record(() => request.emit({ status }), { status, duration_ms: at('durationMs'), ...row });
  };
  wide({ severity_number: 9, severity_text: 'info', ...NO_EXCEPTION, attributes: { method: 'GET', path: '/x', requestId: 'r1', order: 'o1', n: '7' } }, (request) => {
    request.set({ order: 'o1', n: 7 });
    request.info('hello');
    return 200;
  });
  wide({ severity_number: 13, severity_text: 'warn' }, (request) => {
    request.info('hello');
    request.warn('slow');
    return 404;
  });
  const error2 = { exception_type: 'Error', exception_message: 'outer', exception_stacktrace: at('error', 'stack') };
  wide({ ...error, ...error2 }, (request) => {
    request.error(charge());
    return 503;
  });
  const late = createRequestLogger({ method: 'GET', path: '/late' });
  await new Promise((done) => setTimeout(done, 1234));
  fixture.record(() => late.emit({ status: 200 }), { severity_number: 9, severity_text: 'info', status: 200, duration_ms: at('durationMs') });
  fixture.keep(OUT);
}
