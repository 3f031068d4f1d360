"""A mail server with the part of Mailpit's HTTP API that tests use: GET /api/v1/messages."""

import json
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller

messages = []


class Sink:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=default)
        text = mail.get_body(preferencelist=("plain", "html"))
        messages.append(
            {
                "From": {"Address": envelope.mail_from},
                "To": [{"Address": address} for address in envelope.rcpt_tos],
                "Subject": mail["Subject"],
                "Snippet": text.get_content().strip(),
            }
        )
        return "250 OK"


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"total": len(messages), "messages": messages}).encode()
        self.send_response(200 if self.path.startswith("/api/v1/messages") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Controller(Sink(), hostname="0.0.0.0", port=1025).start()
ThreadingHTTPServer(("0.0.0.0", 8025), Api).serve_forever()
