// Fixtures of morgan's five formats. Argument: the output folder.
import http from 'node:http';
import { once } from 'node:events';
import net from 'node:net';
import morgan from 'morgan';
import { Fixture, observed } from './fixture.mjs';

const OUT = process.argv[2];
const AUTH = `Basic ${Buffer.from('jane doe:x').toString('base64')}`;
// path, status, headers of the request
const REQUESTS = [
  ['/caf%C3%A9%20x?q=a%2Bb', 200, { 'user-agent': 'ua' }],
  ['/missing', 404, { 'user-agent': 'curl/8.5 "x" \\ y', referer: 'http://h/a b', authorization: AUTH }],
  ['/moved', 302, {}],
  ['/same', 304, {}],
  ['/boom', 500, {}],
];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The stamp of an access line; morgan's is always UTC. */
function accessStamp(text) {
  const [, day, month, year, hour, minute, second] = /\[(\d\d)\/(\w{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) \+0000\]/.exec(text);
  const at = Date.UTC(+year, MONTHS.indexOf(month), +day, +hour, +minute, +second);
  return { time_ns: BigInt(at) * 1_000_000n, time_source: 'record' };
}

const formats = ['combined', 'common', 'dev', 'short', 'tiny'];
const printed = Object.fromEntries(formats.map((format) => [format, []]));
const loggers = formats.map((format) => morgan(format, { stream: { write: (text) => printed[format].push(text) } }));
let aborted;
const server = http.createServer((request, response) => {
  for (const log of loggers) log(request, response, () => {});
  if (request.url === '/aborted') {
    request.on('close', () => aborted());
    request.socket.destroy();
    return;
  }
  response.statusCode = REQUESTS.find(([path]) => path === request.url)[1];
  if (response.statusCode === 304) response.end();
  else response.setHeader('content-length', 5).end('hello');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
const all = (count) => formats.every((format) => printed[format].length === count);
for (const [i, [path, , headers]] of REQUESTS.entries()) {
  const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false });
  const [response] = await once(request, 'response');
  response.resume();
  await once(response, 'end');
  for (let turn = 0; turn < 1000 && !all(i + 1); turn++) await new Promise((done) => setTimeout(done, 1));
}
const closed = new Promise((done) => (aborted = done));
net.connect(port, '127.0.0.1').on('error', () => {}).end('GET /aborted HTTP/1.1\r\nHost: h\r\n\r\n');
await closed;
for (let turn = 0; turn < 1000 && !all(REQUESTS.length + 1); turn++) await new Promise((done) => setTimeout(done, 1));
server.close();

for (const format of formats) {
  const timed = format === 'combined' || format === 'common';
  const fixture = new Fixture(`morgan-${format}`, timed ? accessStamp : observed);
  printed[format].forEach((text, i) => {
    const ms = / (\d+\.\d{3}) ms/.exec(text);
    fixture.printed(text, {
      severity_number: null,
      severity_text: null,
      status: REQUESTS[i]?.[1] ?? null,
      duration_ms: ms ? Number(ms[1]) : null,
    });
  });
  fixture.keep(OUT);
}
