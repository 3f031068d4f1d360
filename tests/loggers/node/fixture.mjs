// One fixture: what a logger printed, and the row that each record must become.
import assert from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Unix nanoseconds of an ISO stamp with zone. */
export const isoNs = (text) => {
  const at = Date.parse(text);
  assert(!Number.isNaN(at), text);
  return BigInt(at) * 1_000_000n;
};

/** Unix nanoseconds of a printed number of milliseconds. */
export const msNs = (text) => BigInt(text) * 1_000_000n;

export const observed = () => ({ time_source: 'observed' });

/** The first match of a pattern's group, as a stamp with a zone of its own. */
export const stamped = (pattern, of = isoNs) => (text) => ({
  time_ns: of(pattern.exec(text)[1]),
  time_source: 'record',
});

/** Keeps what is written to stdout and stderr (evlog prints warn and error to stderr) until `stop`. */
function capture() {
  const writes = [process.stdout, process.stderr].map((stream) => [stream, stream.write]);
  const taken = { text: '', stop: () => writes.forEach(([stream, write]) => (stream.write = write)) };
  for (const [stream] of writes)
    stream.write = (part) => {
      taken.text += part;
      return true;
    };
  return taken;
}

export class Fixture {
  constructor(name, stamp) {
    this.name = name;
    this.stamp = stamp;
    this.text = '';
    this.rows = [];
  }

  /** Calls `log`, which prints one record; a function in the row is given the printed text. */
  record(log, row) {
    const taken = capture();
    try {
      log();
    } finally {
      taken.stop();
    }
    this.printed(taken.text, row);
  }

  printed(text, row) {
    assert(text.endsWith('\n'), `${this.name} printed no whole line: ${text}`);
    this.text += text;
    const out = { ...this.stamp(text), lines: text.split('\n').length - 1 };
    for (const [key, value] of Object.entries(row)) out[key] = typeof value === 'function' ? value(text) : value;
    for (const [key, value] of Object.entries(out.attributes ?? {})) {
      const shown = value === null ? 'null' : value;
      const forms = [shown, JSON.stringify(shown).slice(1, -1)];
      assert(forms.some((form) => text.includes(form)), `${this.name}: ${key} is not ${shown} in ${text}`);
    }
    this.rows.push(out);
  }

  keep(folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${this.name}.log`), this.text);
    const shown = (key, value) => (typeof value === 'bigint' ? `${value}` : value);
    const rows = JSON.stringify(this.rows, shown, 1).replace(/"time_ns": "(\d+)"/g, '"time_ns": $1');
    writeFileSync(join(folder, `${this.name}.expected.json`), `${rows}\n`);
    console.log(this.name, this.rows.length);
  }
}

/** A fixture of a logger that prints later: `settle` makes the records one after the other. */
export class LateFixture extends Fixture {
  queue = [];

  record(log, row) {
    this.queue.push([log, row]);
  }

  async settle() {
    for (const [log, row] of this.queue) {
      const taken = capture();
      log();
      for (let turn = 0; turn < 1000 && !taken.text.endsWith('\n'); turn++) await new Promise((done) => setTimeout(done, 1));
      taken.stop();
      this.printed(taken.text, row);
    }
  }
}
