#!/usr/bin/env bash
# Kafka 4.1.0 moves a live group from the classic to the consumer protocol (KIP-848) member by member, but not a group whose
# members have been through a rebalance with librdkafka's cooperative-sticky assignor (confluent-kafka 2.12.1, which is
# librdkafka 2.12.1): the broker then finds user data of an assignor in the group, and refuses to drop it. The new member
# gets no error: it waits, and owns nothing. A group whose members have all left moves.
#
# Seen:
#   first generation: the new member owns 1 of 2 partitions
#   later generation: the new member owns 0 of 2 partitions
#   the broker says: userData from a custom assignor would be lost
#
# Takes bash, Python 3 with venv, a JDK 17 and Maven. Fails where it behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
broker=
cleanup() {
    if [ -n "$broker" ]; then kill "$broker" 2>/dev/null && wait "$broker" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet confluent-kafka==2.12.1

cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.0</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
END
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=jars -DincludeScope=runtime

read -r port controller < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
cat >server.properties <<END
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$folder/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.consumer.heartbeat.interval.ms=5000
END
java -cp 'jars/*' kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAA -c server.properties >format.log 2>&1
java -Xmx400m -Dlog4j2.level=INFO -cp 'jars/*' kafka.Kafka server.properties >broker.log 2>&1 &
broker=$!

cat >groups.py <<'END'
import sys
import time

from confluent_kafka import Consumer, libversion
from confluent_kafka.admin import AdminClient, NewTopic

servers = {"bootstrap.servers": sys.argv[1]}
print("librdkafka", libversion()[0])


def member(group, **settings):
    consumer = Consumer({**servers, "group.id": group, **settings})
    consumer.subscribe([group])
    return consumer


def classic(group):
    return member(group, **{"partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 10000})


def poll(seconds, until, *consumers):
    end = time.time() + seconds
    while time.time() < end and not until():
        for consumer in consumers:
            consumer.poll(0.1)
    return until()


def owned(consumer):
    return len(consumer.assignment())


admin = AdminClient(servers)
names = ["first", "later"]
for future in admin.create_topics([NewTopic(name, 2, 1) for name in names], operation_timeout=30).values():
    future.result(60)

results = {}
for group in names:
    old = classic(group)
    assert poll(60, lambda: owned(old) == 2, old), "the classic member owns both partitions"
    if group == "later":
        other = classic(group)
        assert poll(60, lambda: owned(old) == owned(other) == 1, old, other), "each owns one"
        other.close()
        assert poll(60, lambda: owned(old) == 2, old), "it owns both again"
    new = member(group, **{"group.protocol": "consumer"})
    poll(30, lambda: owned(new) > 0, old, new)
    results[group] = owned(new)
    print(f"{group} generation: the new member owns {owned(new)} of 2 partitions")
    new.close()
    old.close()

sys.exit(0 if results == {"first": 1, "later": 0} else 1)
END
until python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$port" 2>/dev/null; do
    kill -0 "$broker"
    sleep 0.2
done
venv/bin/python groups.py "127.0.0.1:$port"
reason='userData from a custom assignor would be lost'
grep -q "$reason" broker.log
echo "the broker says: $reason"
