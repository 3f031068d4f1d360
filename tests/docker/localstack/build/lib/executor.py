"""Runs Lambda functions in LocalStack's own container: its official image starts a container for each, which takes an image
and a program that a machine without a registry does not have. Does what that program does: Lambda's runtime API for the
function's `bootstrap`, and LocalStack's side of it.
"""

import os
import queue
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json

import requests
from plux import PluginSpec

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import ExecutorEndpoint
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

VERSION = "/2018-06-01/runtime"


class RuntimeApi(ThreadingHTTPServer):
    """Both sides: POST /invoke is LocalStack's, the rest the function's."""

    daemon_threads = True

    def __init__(self, callback):
        super().__init__(("127.0.0.1", 0), Handler)
        self.callback = callback
        self.invocations = queue.Queue()
        self.is_ready = False

    def report(self, path, body):
        requests.post(f"{self.callback}/{path}", data=body, timeout=10)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def do_GET(self):
        if not self.server.is_ready:
            self.server.is_ready = True
            self.server.report("ready", b"")
        invocation = self.server.invocations.get()
        if invocation is None:
            return self.answer(410)
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", invocation["invoke-id"]),
            ("Lambda-Runtime-Invoked-Function-Arn", invocation["invoked-function-arn"]),
            ("Lambda-Runtime-Deadline-Ms", str(10**15)),
            ("Content-Type", "application/json"),
        ]
        self.answer(200, invocation["payload"].encode(), headers)

    def do_POST(self):
        body = self.body()
        if self.path == "/invoke":
            self.server.invocations.put(json.loads(body))
            return self.answer(200)
        if self.path == f"{VERSION}/init/error":
            self.server.report("error", body)
            return self.answer(202)
        # /2018-06-01/runtime/invocation/ID/response or /error
        _, _, _, _, invocation, kind = self.path.split("/")
        self.answer(202)
        requests.post(f"{self.server.callback_of_invocations}/{invocation}/{kind}", data=body, timeout=10)

    def log_message(self, *_):
        pass


class ProcessExecutor(RuntimeExecutor):
    def start(self, env_vars):
        self.endpoint = ExecutorEndpoint(self.id, container_address="127.0.0.1")
        self.endpoint.start()
        base = f"http://127.0.0.1:4566{self.endpoint.get_endpoint_prefix()}"
        self.api = RuntimeApi(f"{base}/status/{self.id}")
        self.api.callback_of_invocations = f"{base}/invocations"
        self.endpoint.container_port = self.api.server_address[1]
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        code = self.function_version.config.code.get_unzipped_code_location()
        environment = {**env_vars, "PATH": os.environ["PATH"]}
        environment["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{self.endpoint.container_port}"
        bootstrap = os.path.join(code, "bootstrap")
        os.chmod(bootstrap, 0o755)
        self.process = subprocess.Popen([bootstrap], env=environment, cwd=code)
        self.endpoint.wait_for_startup()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.api.invocations.put(None)
        self.api.shutdown()
        self.endpoint.shutdown()

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:4566{self.endpoint.get_endpoint_prefix()}"

    def invoke(self, payload):
        return self.endpoint.invoke(payload)

    def get_logs(self):
        return ""

    @classmethod
    def prepare_version(cls, function_version):
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        function_version.config.code.destroy_cached()


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        return ProcessExecutor
