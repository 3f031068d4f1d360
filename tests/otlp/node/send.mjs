// Sends log records with OpenTelemetry's SDK, and writes what must arrive. Usage: send.mjs URL OUT
import assert from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diag, DiagLogLevel, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';

const [url, out] = process.argv.slice(2);
// 2026-01-31T12:00:00.123456789Z
const SECONDS = 1769860800;
const NANOS = 123456789;
const TRACE = '000102030405060708090a0b0c0d0e0f';
const SPAN = '0001020304050607';
const inSpan = trace.setSpanContext(ROOT_CONTEXT, { traceId: TRACE, spanId: SPAN, traceFlags: 1 });
const bytes = (...values) => Uint8Array.from(values);

// What the SDK warns of, which is where it says that records were refused.
const warnings = [];
const quiet = () => {};
diag.setLogger(
  { error: (...words) => warnings.push(words.join(' ')), warn: (...words) => warnings.push(words.join(' ')), info: quiet, debug: quiet, verbose: quiet },
  DiagLogLevel.WARN,
);

// Each value, and the JSON text that must arrive. A whole number is an integer, whatever the program means.
const TEXTS = {
  order: ['o1', '"o1"'],
  empty: ['', '""'],
  'a "key" ä': ['x\n\\ 😀', '"x\\n\\\\ 😀"'],
  half: ['x\ud800y', '"x\ufffdy"'],
};
const NUMBERS = {
  seven: [7, '7'],
  'two to the 53': [2 ** 53, '9007199254740992'],
  one: [1.0, '1'],
  tenth: [0.1, '0.1'],
  third: [1 / 3, '0.3333333333333333'],
  smallest: [5e-324, '5e-324'],
  small: [1.5e-7, '1.5e-7'],
  nan: [NaN, '"NaN"'],
};
// In JSON integers are of any size, and infinities become null, as NaN does.
const JSON_NUMBERS = {
  large: [1e20, '1e20'],
  larger: [1e21, '1e21'],
  least: [-Number.MAX_VALUE, '-1.7976931348623157e308'],
  infinity: [Infinity, '"NaN"'],
};
const PROTOBUF_NUMBERS = { infinity: [Infinity, '"Infinity"'], 'minus infinity': [-Infinity, '"-Infinity"'] };
const OTHERS = {
  true: [true, 'true'],
  false: [false, 'false'],
  bytes: [bytes(0, 1, 255), '"AAH/"'],
  'no bytes': [bytes(), '""'],
  null: [null, 'null'],
  undefined: [undefined, 'null'],
  texts: [['a', ''], '["a",""]'],
  mixed: [[2 ** 53, 1.5, 'a', false, null, bytes(251, 255), [1]], '[9007199254740992,1.5,"a",false,null,"+/8=",[1]]'],
  nothing: [[], '[]'],
  map: [{ a: { b: [{ c: NaN }, {}] }, d: null }, '{"a":{"b":[{"c":"NaN"},{}]},"d":null}'],
};
const BODIES = [
  [{ a: { b: 2 ** 53 }, c: [1.5, null] }, '{"a":{"b":9007199254740992},"c":[1.5,null]}'],
  [['a', 1], '["a",1]'],
  [bytes(0, 1, 255), '"AAH/"'],
  [7, '7'],
  [true, 'true'],
  ['', '""'],
];

/** Sends as one service, and keeps what must arrive. */
class Sender {
  constructor(name, exporter, resource) {
    this.name = name;
    this.resource = resource;
    this.records = [];
    this.provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
    this.logger = this.provider.getLogger(name, '1.2.3');
  }

  /** Emits a record; body and attributes are pairs of a value and its JSON. */
  send([body, bodyJson], { attributes = {}, severity, text, event, nanos = NANOS, context } = {}) {
    const pick = (index) => Object.fromEntries(Object.entries(attributes).map(([key, pair]) => [key, pair[index]]));
    this.logger.emit({
      timestamp: [SECONDS, nanos],
      observedTimestamp: [SECONDS, NANOS + 1],
      severityNumber: severity,
      severityText: text,
      body,
      attributes: pick(0),
      eventName: event,
      context,
    });
    this.records.push({
      time_ns: `${SECONDS}${String(nanos).padStart(9, '0')}`,
      observed_ns: `${SECONDS}${NANOS + 1}`,
      severity_number: severity,
      severity_text: text,
      body: bodyJson,
      event_name: event,
      ...(context && { trace_id: TRACE, span_id: SPAN }),
      attributes: pick(1),
    });
  }

  /** Shuts the SDK down as programs do, which sends what is queued. */
  async end() {
    await this.provider.shutdown();
    const { attributes } = this.resource;
    writeFileSync(
      join(out, `${this.name}.expected.json`),
      JSON.stringify({
        service: attributes['service.name'],
        version: '1.2.3',
        language: JSON.stringify(attributes['telemetry.sdk.language']),
        records: this.records,
      }),
    );
  }
}

async function everything(name, exporter, more) {
  const sender = new Sender(name, exporter, defaultResource().merge(resourceFromAttributes({ 'service.name': `${name} ü` })));
  sender.send(['paid "7" €', '"paid \\"7\\" €"'], { attributes: TEXTS, severity: SeverityNumber.WARN, text: 'WARN', event: 'order.paid', context: inSpan });
  sender.send(['numbers', '"numbers"'], { attributes: { ...NUMBERS, ...more } });
  sender.send(['others', '"others"'], { attributes: OTHERS });
  sender.send([undefined, undefined]);
  for (const body of BODIES) sender.send(body);
  warnings.length = 0;
  // Larger than a record may be: refused, of which the SDK warns.
  sender.logger.emit({ body: 'x'.repeat(300_000) });
  for (let number = 0; number < 1000; number++) {
    const severity = (number % 24) + 1;
    const attributes = { n: [number, String(number)], seventh: [number / 7, String(number / 7)] };
    sender.send([`record ${number}`, `"record ${number}"`], { attributes, severity, text: SeverityNumber[severity], nanos: NANOS + number });
  }
  await sender.end();
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /Partial Success.*"rejectedLogRecords":"?1\b/, name);
}

async function unnamed(name) {
  const sender = new Sender(name, new OTLPLogExporter({ url }), defaultResource());
  sender.send(['unnamed', '"unnamed"']);
  await sender.end();
}

await everything('node-json', new OTLPLogExporter({ url }), JSON_NUMBERS);
await everything('node-json-gzip', new OTLPLogExporter({ url, compression: 'gzip' }), JSON_NUMBERS);
await everything('node-protobuf', new ProtobufExporter({ url }), PROTOBUF_NUMBERS);
await unnamed('node-unnamed');
