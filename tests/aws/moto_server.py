"""moto's server, with what Terraform's AWS provider asks of MSK, ECS, Application Auto Scaling and Athena and moto 5.2.5 lacks.

Arguments are moto_server's. KAFKA_BOOTSTRAP_SERVERS is what an MSK cluster names as its brokers.
"""

import datetime
import json
import os
import sys
import uuid
from urllib.parse import unquote

import moto.kafka.urls as kafka_urls
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.athena.responses import AthenaResponse
from moto.ecs.models import Service
from moto.kafka.exceptions import BadRequestException, NotFoundException
from moto.kafka.models import FakeKafkaCluster, KafkaBackend
from moto.kafka.responses import KafkaResponse
from moto.server import main


def wraps(owner, name):
    """Replaces a method by one that gets the replaced one before its arguments."""

    def decorate(function):
        replaced = getattr(owner, name)
        setattr(owner, name, lambda self, *args, **kwargs: function(replaced, self, *args, **kwargs))
        return function

    return decorate


# Athena: a named query can be deleted.


def delete_named_query(self):
    self.athena_backend.named_queries.pop(self._get_param("NamedQueryId"), None)
    return "{}"


AthenaResponse.delete_named_query = delete_named_query

# MSK: a cluster is there at once, and its ARN has its name, as AWS's does.


@wraps(FakeKafkaCluster, "__init__")
def active(replaced, self, *args, **kwargs):
    replaced(self, *args, **{**kwargs, "state": "ACTIVE"})


@wraps(FakeKafkaCluster, "_generate_arn")
def arn_with_name(replaced, self):
    return f"arn:aws:kafka:{self.region_name}:{self.account_id}:cluster/{self.cluster_name}/{self.cluster_id}-1"


@wraps(KafkaBackend, "create_cluster_v2")
def all_that_was_asked_for(replaced, self, cluster_name, tags, provisioned, serverless):
    created = replaced(self, cluster_name, tags, provisioned, serverless)
    cluster = self.clusters[created[0]]
    cluster.client_authentication = (provisioned or {}).get("clientAuthentication")
    cluster.configuration_info = (provisioned or {}).get("configurationInfo")
    cluster.encryption_info = (provisioned or {}).get("encryptionInfo")
    cluster.logging_info = (provisioned or {}).get("loggingInfo")
    cluster.open_monitoring = (provisioned or {}).get("openMonitoring")
    return created


def not_found(replaced, self, cluster_arn, *args, **kwargs):
    if cluster_arn not in self.clusters:
        raise NotFoundException(f"there is no cluster {cluster_arn}")
    return replaced(self, cluster_arn, *args, **kwargs)


for name in ("describe_cluster", "describe_cluster_v2", "delete_cluster"):
    wraps(KafkaBackend, name)(not_found)


def get_bootstrap_brokers(self):
    return json.dumps({"bootstrapBrokerStringSaslIam": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})


# MSK configurations, which moto has not: https://docs.aws.amazon.com/msk/1.0/apireference/configurations.html

configurations = {}


def described(arn):
    configuration = configurations[arn]
    revision = {"creationTime": configuration["creationTime"], "revision": len(configuration["revisions"])}
    fields = {key: value for key, value in configuration.items() if key != "revisions"}
    return {**fields, "latestRevision": revision}


def configuration_arn(response):
    arn = unquote(response.parsed_url.path.split("/configurations/")[1]).split("/revisions/")[0]
    if arn not in configurations:
        raise BadRequestException("Configuration ARN does not exist")
    return arn


def create_configuration(self):
    name = self._get_param("name")
    arn = f"arn:aws:kafka:{self.region}:{self.current_account}:configuration/{name}/{uuid.uuid4()}-1"
    configurations[arn] = {
        "arn": arn,
        "name": name,
        "description": self._get_param("description") or "",
        "kafkaVersions": self._get_param("kafkaVersions") or [],
        "state": "ACTIVE",
        "creationTime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "revisions": [self._get_param("serverProperties")],
    }
    return json.dumps(described(arn))


def describe_configuration(self):
    return json.dumps(described(configuration_arn(self)))


def describe_configuration_revision(self):
    arn, revision = configuration_arn(self), int(self.parsed_url.path.rsplit("/", 1)[1])
    properties = configurations[arn]["revisions"][revision - 1]
    fields = described(arn)
    return json.dumps({"arn": arn, "revision": revision, "creationTime": fields["creationTime"], "serverProperties": properties})


def update_configuration(self):
    arn = configuration_arn(self)
    configurations[arn]["revisions"].append(self._get_param("serverProperties"))
    return json.dumps({"arn": arn, "latestRevision": described(arn)["latestRevision"]})


def delete_configuration(self):
    arn = configuration_arn(self)
    del configurations[arn]
    return json.dumps({"arn": arn, "state": "DELETING"})


def list_scram_secrets(self):
    return json.dumps({"secretArnList": []})


for function in (
    get_bootstrap_brokers,
    create_configuration,
    describe_configuration,
    describe_configuration_revision,
    update_configuration,
    delete_configuration,
    list_scram_secrets,
):
    setattr(KafkaResponse, function.__name__, function)

kafka_urls.url_paths = {
    "{0}/v1/configurations$": KafkaResponse.dispatch,
    "{0}/v1/configurations/(?P<arn>.+)$": KafkaResponse.dispatch,
    **kafka_urls.url_paths,
}


# ECS: a service without a network of its own has no network configuration (the provider would crash on an empty one).


@wraps(Service, "__init__")
def as_asked_for(replaced, self, *args, **kwargs):
    replaced(self, *args, **kwargs)
    self.network_configuration = self.network_configuration or None
    self.availability_zone_rebalancing = "ENABLED"


ApplicationAutoScalingResponse.list_tags_for_resource = lambda self: json.dumps({"Tags": {}})

main(sys.argv[1:])
