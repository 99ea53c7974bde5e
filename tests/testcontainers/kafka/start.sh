#!/bin/bash
# KAFKA_LOG_DIRS=/x becomes log.dirs=/x, as in Apache Kafka's own image.
set -euo pipefail
properties=/etc/kafka/server.properties
while IFS='=' read -r name value; do
  key=${name#KAFKA_}
  key=${key,,}
  printf '%s=%s\n' "${key//_/.}" "$value"
done < <(env | grep '^KAFKA_') > "$properties"
java=(java -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
  -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -cp '/opt/kafka/libs/*')
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted \
  -t "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" -c "$properties"
exec "${java[@]}" kafka.Kafka "$properties"
