"""Makes in LocalStack what Terraform makes on AWS, as far as LocalStack has it and the containers use it: the bucket, the
functions of functions/functions.json, which Terraform reads as well, and the events that start the lake's stages.

LocalStack runs this once it is ready; nothing is there then, since it keeps nothing.
"""

import json
import os
import platform
import stat
from pathlib import Path

import boto3

SOURCE = Path("/millrace")
BUCKET = "millrace"
# LocalStack looks at no role's policy.
ROLE = "arn:aws:iam::000000000000:role/millrace"
TOPIC = "arn:aws:sns:us-east-1:000000000000:millrace-alarms"


def objects(prefix, *details):
    """The events of objects with this prefix."""
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", *details],
        "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": prefix}]}},
    }


# The stages of the lake, by their functions: the events that start each. infra/stages.tf has the same.
STAGES = {
    "log-clean": objects("raw/"),
    "log-metrics": objects("cleaned/", "Object Deleted"),
    "alerts": {
        "source": ["millrace.lake"],
        "detail-type": [{"prefix": "millrace.alert."}, "Stage Failed"],
    },
}
# What calls functions besides, as infra/stages.tf has it.
SCHEDULES = {"log-metrics": "rate(1 minute)", "log-compact": "rate(1 hour)"}
# Functions of services that this LocalStack is without.
LACKING = {"athena-refresh": "Athena"}
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def client(service):
    return boto3.client(
        service,
        endpoint_url="http://127.0.0.1:4566",
        region_name=os.environ["AWS_DEFAULT_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def make_bucket():
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    print(f"bucket {BUCKET}")


def environment(name, function):
    """What compose gives LocalStack as FUNCTION_<NAME>."""
    prefix = "FUNCTION_"
    variables = {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(prefix)}
    if not function["has_database"]:
        del variables["DATABASE_URL"]
    if not function["has_kafka"]:
        del variables["KAFKA_BOOTSTRAP_SERVERS"]
    if name == "alerts":
        variables["MILLRACE_ALERTS_TOPIC"] = TOPIC
    return variables


def can_start_functions():
    """With Docker's socket, or a way of LocalStack's own."""
    socket = Path("/var/run/docker.sock")
    return "LAMBDA_RUNTIME_EXECUTOR" in os.environ or (socket.exists() and stat.S_ISSOCK(socket.stat().st_mode))


def make_functions():
    if not can_start_functions():
        print("no functions: DOCKER_SOCKET names no socket of Docker's")
        return
    manifest = SOURCE / "dist" / "manifest.json"
    if not manifest.exists():
        print("no functions: dist/manifest.json is missing; `cargo xtask package` makes it")
        return
    artifacts = json.loads(manifest.read_text())["functions"]
    architecture = ARCHITECTURES[platform.machine()]
    functions = client("lambda")
    for name, function in json.loads((SOURCE / "functions" / "functions.json").read_text()).items():
        if name in LACKING:
            print(f"no function {name}: LocalStack has no {LACKING[name]}")
            continue
        artifact = artifacts.get(name, {}).get(architecture)
        if artifact is None:
            print(f"no function {name}: `cargo xtask package {name} --arch {architecture}` makes it")
            continue
        full_name = f"millrace-{name}"
        functions.create_function(
            FunctionName=full_name,
            Description=function["description"],
            Runtime="provided.al2023",
            Handler="bootstrap",
            Architectures=[architecture],
            Role=ROLE,
            Code={"ZipFile": (SOURCE / "dist" / artifact["file"]).read_bytes()},
            MemorySize=function["memory_mib"],
            EphemeralStorage={"Size": function.get("disk_mib", 512)},
            Timeout=function["timeout_seconds"],
            Environment={"Variables": environment(name, function)},
            # The function's URL: http://NAME.lambda-url.REGION.localhost.localstack.cloud:4566
            Tags={"_custom_id_": name},
        )
        if function["is_http"]:
            functions.create_function_url_config(FunctionName=full_name, AuthType="NONE")
        if name in STAGES:
            queue = make_stage(full_name, STAGES[name], function["timeout_seconds"])
        if name == "alerts":
            client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue)
        if name in SCHEDULES:
            call(full_name, SCHEDULES[name])
        if name == "log-clean":
            make_backfill(full_name)
        print(f"function {full_name} ({artifact['file']})")


def make_stage(function, pattern, timeout):
    """Events of this pattern are messages of a queue, which the function takes."""
    sqs = client("sqs")
    attributes = {"VisibilityTimeout": str(timeout), "MessageRetentionPeriod": "1209600"}
    url = sqs.create_queue(QueueName=function, Attributes=attributes)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = client("events")
    events.put_rule(Name=function, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=function, Targets=[{"Id": "queue", "Arn": queue}])
    client("lambda").create_event_source_mapping(
        EventSourceArn=queue,
        FunctionName=function,
        BatchSize=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return queue


def call(function, schedule):
    """Calls a function, whether there are events or not."""
    arn = client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    events = client("events")
    name = f"{function}-schedule"
    rule = events.put_rule(Name=name, ScheduleExpression=schedule)["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": arn}])
    client("lambda").add_permission(
        FunctionName=function,
        StatementId="Schedule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )


def make_backfill(function):
    """The state machine that cleans months of raw objects."""
    text = (SOURCE / "infra" / "modules" / "backfill" / "states.json").read_text()
    values = {
        "bucket": BUCKET,
        "function_arn": client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"],
        "max_concurrency": "2",
        "tolerated_failures_percent": "5.0",
    }
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    # LocalStack has no express workflows in a Distributed Map.
    text = text.replace('"EXPRESS"', '"STANDARD"')
    machine = client("stepfunctions").create_state_machine(name="millrace-backfill", definition=text, roleArn=ROLE)
    print(f"state machine {machine['stateMachineArn']}")


def make_topic():
    client("sns").create_topic(Name="millrace-alarms")
    print(f"topic {TOPIC}")


make_bucket()
make_topic()
make_functions()
