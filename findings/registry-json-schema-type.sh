#!/usr/bin/env bash
# Apicurio Registry 2.6.13.Final, by its API for Confluent's clients (ccompat v7): a schema that is registered with
# "schemaType": "JSON" is refused where its text has no "$schema", although JSON Schema makes that optional and the request
# says the type. The registry guesses the type from the text alone. With "$schema" the same schema is taken.
#
# Seen:
#   without $schema: 422 Failed to discover artifact type from content.
#   with $schema: 200
#
# Takes bash, curl, Python 3, a JDK 17 and Maven. Fails where it behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
registry=
cleanup() {
    if [ -n "$registry" ]; then kill "$registry" 2>/dev/null && wait "$registry" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact=io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all -DoutputDirectory=.
tar -xzf apicurio-registry-app-2.6.13.Final-all.tar.gz
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
java -Xmx256m -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
    -jar apicurio-registry-app-2.6.13.Final-runner.jar >registry.log 2>&1 &
registry=$!
subjects=http://127.0.0.1:$port/apis/ccompat/v7/subjects
for _ in $(seq 120); do
    curl -sf "$subjects" >/dev/null && break
    sleep 1
done

# Registers the text $2 as the subject $1; prints the status and the message, if there is one.
register() {
    python3 -c 'import json, sys; print(json.dumps({"schemaType": "JSON", "schema": sys.argv[1]}))' "$2" >request.json
    status=$(curl -s -o answer.json -w '%{http_code}' -H 'content-type: application/json' --data-binary @request.json "$subjects/$1/versions")
    python3 -c 'import json, sys; print(sys.argv[1], json.load(open("answer.json")).get("message", ""))' "$status"
}

without=$(register without '{"type": "object", "required": ["user_id"]}')
with=$(register with '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["user_id"]}')
echo "without \$schema: $without"
echo "with \$schema: $with"
[ "$without" = "422 Failed to discover artifact type from content." ]
[ "${with%% *}" = 200 ]
