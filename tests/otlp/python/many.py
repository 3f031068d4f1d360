"""Sends many log records with OpenTelemetry's SDK, 1.2 s apart, and writes how many. Usage: many.py URL OUT

Reads from the environment: COUNT, and FIRST, the first one's time in Unix nanoseconds.
"""
import os
import sys
from pathlib import Path

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

URL, OUT = sys.argv[1], Path(sys.argv[2])
COUNT, FIRST = int(os.environ["COUNT"]), int(os.environ["FIRST"])

provider = LoggerProvider(resource=Resource.create({"service.name": "otlp"}), shutdown_on_exit=False)
exporter = OTLPLogExporter(URL, compression=Compression.Gzip, timeout=60)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=COUNT + 512))
logger = provider.get_logger("many")
for number in range(COUNT):
    severity = SeverityNumber.ERROR if number % 10 == 0 else SeverityNumber.INFO
    time = FIRST + number * 1_200_000_000
    logger.emit(LogRecord(timestamp=time, severity_number=severity, body=f"record {number}"))
provider.shutdown()
(OUT / "sent").write_text(str(COUNT))
