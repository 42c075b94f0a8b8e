"""moto's server, with the calls that the Terraform AWS provider makes and moto 5.2.1 lacks.

It is for Terraform only. Queues, things and shadows that behave are src/local's.

    python3 launch.py -H 127.0.0.1 -p PORT

It ends when its standard input does, so that it never outlives who started it.
"""

import json
import os
import sys
import threading
import urllib.parse
from importlib.metadata import version

WANTED = "5.2.1"
if version("moto") != WANTED:
    sys.exit(f"moto {version('moto')} is installed, and this patches {WANTED}: pip install 'moto[server]=={WANTED}'")

from moto import server
from moto.awslambda.models import EventSourceMapping, LambdaFunction
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.instances import Instance
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.instances import InstanceResponse
from moto.fis.responses import FISResponse
from moto.iam.access_control import PermissionResult
from moto.iot.responses import IoTResponse
from moto.s3.models import FakeBucket
from moto.sqs.models import Queue

# --- AWS IoT: tags, without which every aws_iot_* resource waits for ever.

iot_tags = {}  # by ARN


def list_tags(self):
    tags = iot_tags.get(self._get_param("resourceArn"), {})
    return ActionResult({"tags": [{"Key": k, "Value": v} for k, v in tags.items()]})


def tag(self):
    tags = iot_tags.setdefault(self._get_param("resourceArn"), {})
    tags.update({t["Key"]: t.get("Value", "") for t in self._get_param("tags") or []})
    return EmptyResult()


def untag(self):
    for key in self._get_param("tagKeys") or []:
        iot_tags.get(self._get_param("resourceArn"), {}).pop(key, None)
    return EmptyResult()


IoTResponse.list_tags_for_resource = list_tags
IoTResponse.tag_resource = tag
IoTResponse.untag_resource = untag


def tags_of(response):
    """The tags of a request that creates: a list in the body, or a query in text or header."""
    tags = response._get_param("tags") or response.headers.get("x-amz-tagging")
    if isinstance(tags, str):
        return dict(urllib.parse.parse_qsl(tags, keep_blank_values=True))
    return {t["Key"]: t.get("Value", "") for t in tags or []}


def keep_tags(operation, arn_of):
    original = getattr(IoTResponse, operation)

    def create(self):
        result = original(self)
        tags = tags_of(self)
        if tags:
            iot_tags[arn_of(self, result)] = tags
        return result

    setattr(IoTResponse, operation, create)


def rule_arn(response, _):
    return f"arn:aws:iot:{response.region}:{response.current_account}:rule/{response._get_param('ruleName')}"


keep_tags("create_policy", lambda _, result: result.result["policyArn"])
keep_tags("create_thing_type", lambda _, result: result.result["thingTypeArn"])
keep_tags("create_thing_group", lambda _, result: result.result["thingGroupArn"])
keep_tags("create_topic_rule", rule_arn)

# --- FIS: GetExperimentTemplate.


def get_experiment_template(self):
    wanted = self._get_param("id")
    template = self.fis_backend.experiment_templates.get(wanted)
    if template is None:
        return 404, {}, json.dumps({"__type": "ResourceNotFoundException", "message": wanted})
    tags = self.fis_backend.tagger.get_tag_dict_for_resource(template.arn)
    return json.dumps({"experimentTemplate": template.to_dict(tags)})


FISResponse.get_experiment_template = get_experiment_template

# --- Subnets: the filter by which the provider waits for IPv6, and the state in its shape.

subnet_filter = Subnet.get_filter_value
subnet_attach = Subnet.attach_ipv6_cidr_block_associations


def get_filter_value(self, name, method=None):
    if name == "ipv6-cidr-block-association.association-id":
        return list(self.ipv6_cidr_block_associations)
    return subnet_filter(self, name, method)


class State(dict):
    """moto's writer prints str(state), where the API has a bare word."""

    def __str__(self):
        return self["State"]


def attach_ipv6(self, block):
    association = subnet_attach(self, block)
    association["ipv6CidrBlockState"] = State(association["ipv6CidrBlockState"])
    return association


Subnet.get_filter_value = get_filter_value
Subnet.attach_ipv6_cidr_block_associations = attach_ipv6

# --- EC2: a root volume has its image's size if none is given.

check_mapping = InstanceResponse._validate_block_device_mapping


def check_with_size(mapping):
    if not mapping.get("Ebs", {}).get("SnapshotId"):
        mapping.setdefault("Ebs", {}).setdefault("VolumeSize", 8)
    check_mapping(mapping)


InstanceResponse._validate_block_device_mapping = staticmethod(check_with_size)

# --- EC2: automatic recovery is on unless it is switched off, and described.

Instance.maintenance_options = {"AutoRecovery": "default"}

# --- SQS: RedriveAllowPolicy, and RedrivePolicy in the compact JSON that AWS answers.

Queue.BASE_ATTRIBUTES = Queue.BASE_ATTRIBUTES + ["RedriveAllowPolicy"]
Queue.redrive_allow_policy = None
queue_attributes = Queue.attributes.fget


def attributes(self):
    result = queue_attributes(self)
    if self.redrive_policy:
        result["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
    if not result.get("RedriveAllowPolicy"):
        result.pop("RedriveAllowPolicy", None)
    return result


Queue.attributes = property(attributes)

# SetQueueAttributes leaves alone what it is not told; moto forgets the policy.

set_attributes = Queue._set_attributes


def set_and_keep(self, attributes, now=None):
    if "Policy" not in attributes and getattr(self, "_policy_json", None):
        attributes = {**attributes, "Policy": json.dumps(self._policy_json)}
    set_attributes(self, attributes, now)


Queue._set_attributes = set_and_keep

# --- CloudWatch: composite alarms, which moto can hold but not be given, and what suppresses
# their actions, which it does not hold.


def put_composite_alarm(self):
    result = self.put_metric_alarm()
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    alarm.actions_suppressor = self._get_param("ActionsSuppressor")
    alarm.actions_suppressor_wait_period = self._get_param("ActionsSuppressorWaitPeriod")
    alarm.actions_suppressor_extension_period = self._get_param("ActionsSuppressorExtensionPeriod")
    return result


CloudWatchResponse.put_composite_alarm = put_composite_alarm

# --- Lambda: two parts of a configuration that are taken and not told again.

EXTRA = ("DeadLetterConfig", "LoggingConfig")
function_init = LambdaFunction.__init__
function_configuration = LambdaFunction.get_configuration
function_update = LambdaFunction.update_configuration


def init(self, account_id, spec, *args, **kwargs):
    function_init(self, account_id, spec, *args, **kwargs)
    self.extra = {name: spec[name] for name in EXTRA if spec.get(name)}


def get_configuration(self, *args, **kwargs):
    return function_configuration(self, *args, **kwargs) | getattr(self, "extra", {})


def update_configuration(self, updates):
    self.extra.update({name: updates[name] for name in EXTRA if updates.get(name)})
    return function_update(self, updates)


LambdaFunction.__init__ = init
LambdaFunction.get_configuration = get_configuration
LambdaFunction.update_configuration = update_configuration

# --- Lambda: an event source that calls an alias says so, and not which version that is.

source_configuration = EventSourceMapping.get_configuration


def get_source_configuration(self):
    result = source_configuration(self)
    if self.function_name.startswith("arn:"):
        result["FunctionArn"] = self.function_name
    return result


EventSourceMapping.get_configuration = get_source_configuration

# --- S3: moto reads a bucket's policy and leaves out its conditions, so that "deny without
# TLS" would deny all. test/iam judges policies.

FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL

# --- The end.


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.main(sys.argv[1:])
