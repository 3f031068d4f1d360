"""LocalStack's health check: fails until the scripts of ready.d have run, and where one of them has failed."""

import json
import sys
import urllib.request

with urllib.request.urlopen("http://127.0.0.1:4566/_localstack/init/ready", timeout=4) as answer:
    stage = json.load(answer)

failed = [script["name"] for script in stage["scripts"] if script["state"] == "ERROR"]
if failed:
    sys.exit(f"{', '.join(failed)} failed: see LocalStack's log")
if not stage["completed"]:
    sys.exit("not ready yet")
