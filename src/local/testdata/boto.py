"""Calls every operation through boto3.

usage: boto.py ENDPOINT
"""
import json
import sys

import boto3

endpoint = sys.argv[1]
sqs, iot, data = (boto3.client(name, endpoint_url=endpoint) for name in ("sqs", "iot", "iot-data"))
arn = "arn:aws:sqs:us-east-1:000000000000:"


def fails(client, code, call, **kw):
    try:
        call(**kw)
    except client.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        return
    raise AssertionError("no error, want " + code)


dlq = sqs.create_queue(QueueName="dlq")["QueueUrl"]
q = sqs.create_queue(QueueName="q", tags={"a": "1"}, Attributes={
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn + "dlq", "maxReceiveCount": 5})})["QueueUrl"]
assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == q
fails(sqs, "AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
assert sqs.list_queues()["QueueUrls"] == [dlq, q]
assert sqs.get_queue_attributes(QueueUrl=q, AttributeNames=["All"])["Attributes"]["QueueArn"] == arn + "q"
sqs.set_queue_attributes(QueueUrl=q, Attributes={"VisibilityTimeout": "60"})
sqs.tag_queue(QueueUrl=q, Tags={"b": "2"})
sqs.untag_queue(QueueUrl=q, TagKeys=["a"])
assert sqs.list_queue_tags(QueueUrl=q)["Tags"] == {"b": "2"}
assert sqs.list_dead_letter_source_queues(QueueUrl=dlq)["queueUrls"] == [q]
sqs.send_message(QueueUrl=q, MessageBody="\u20ac <&>", MessageAttributes={"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})
fails(sqs, "InvalidMessageContents", sqs.send_message, QueueUrl=q, MessageBody="\ufffe")
fails(sqs, "InvalidMessageContents", sqs.send_message, QueueUrl=q, MessageBody="half \ud800 a pair")
out = sqs.send_message_batch(QueueUrl=q, Entries=[
    {"Id": "good", "MessageBody": "\U0001f600"}, {"Id": "bad", "MessageBody": "\udc00"}])
assert [e["Id"] for e in out["Successful"]] == ["good"], out
assert [(e["Id"], e["Code"], e["SenderFault"]) for e in out["Failed"]] == [("bad", "InvalidMessageContents", True)], out
got = sqs.receive_message(QueueUrl=q, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])["Messages"]
assert [m["Body"] for m in got] == ["\u20ac <&>", "\U0001f600"], got
assert got[0]["MessageAttributes"]["b"]["BinaryValue"] == b"\x00\xff" and got[0]["Attributes"]["ApproximateReceiveCount"] == "1"
sqs.change_message_visibility(QueueUrl=q, ReceiptHandle=got[0]["ReceiptHandle"], VisibilityTimeout=30)
assert sqs.change_message_visibility_batch(QueueUrl=q, Entries=[
    {"Id": "a", "ReceiptHandle": got[1]["ReceiptHandle"], "VisibilityTimeout": 30}])["Successful"]
sqs.delete_message(QueueUrl=q, ReceiptHandle=got[0]["ReceiptHandle"])
assert sqs.delete_message_batch(QueueUrl=q, Entries=[{"Id": "a", "ReceiptHandle": got[1]["ReceiptHandle"]}])["Successful"]
sqs.send_message(QueueUrl=dlq, MessageBody="x")
task = sqs.start_message_move_task(SourceArn=arn + "dlq", DestinationArn=arn + "q", MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
assert len(sqs.list_message_move_tasks(SourceArn=arn + "dlq")["Results"]) == 1
sqs.cancel_message_move_task(TaskHandle=task)
sqs.purge_queue(QueueUrl=q)
fails(sqs, "AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=q)
sqs.delete_queue(QueueUrl=q)

iot.create_thing_type(thingTypeName="th")
iot.update_thing_type(thingTypeName="th", thingTypeProperties={"thingTypeDescription": "d"})
assert iot.describe_thing_type(thingTypeName="th")["thingTypeMetadata"]["creationDate"].year > 2000
assert [t["thingTypeName"] for t in iot.list_thing_types()["thingTypes"]] == ["th"]
iot.create_thing(thingName="a:1", thingTypeName="th")
fails(iot, "ResourceAlreadyExistsException", iot.create_thing, thingName="a:1")
iot.update_thing(thingName="a:1", attributePayload={"attributes": {"k": "v"}})
assert iot.describe_thing(thingName="a:1")["attributes"] == {"k": "v"}
assert [t["thingName"] for t in iot.list_things(attributeName="k", attributeValue="v")["things"]] == ["a:1"]
assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] in endpoint
data.update_thing_shadow(thingName="a:1", payload=json.dumps({"state": {"reported": {"t": 1}}}))
assert json.load(data.get_thing_shadow(thingName="a:1")["payload"])["state"]["reported"] == {"t": 1}
fails(data, "ConflictException", data.update_thing_shadow, thingName="a:1", payload=json.dumps({"state": {}, "version": 9}))
data.update_thing_shadow(thingName="a:1", shadowName="two", payload=json.dumps({"state": {}}))
assert data.list_named_shadows_for_thing(thingName="a:1")["results"] == ["two"]
data.delete_thing_shadow(thingName="a:1")
data.publish(topic="$aws/rules/r/dt/a", payload=b"\x00p", qos=1)
iot.delete_thing(thingName="a:1")
iot.deprecate_thing_type(thingTypeName="th")
fails(iot, "InvalidRequestException", iot.delete_thing_type, thingTypeName="th")
