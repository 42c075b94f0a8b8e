"""Calls every operation through the aws command line's own code, in one process.

usage: cli.py ENDPOINT
"""
import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

endpoint = sys.argv[1]


def aws(*args, want=None, fails=None):
    out, err = io.StringIO(), io.StringIO()
    out.buffer = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = create_clidriver().main(["--endpoint-url", endpoint, *args])
        except SystemExit as e:
            code = e.code
    text = out.getvalue() + err.getvalue()
    if bool(code) != bool(fails) or (want or fails or "") not in text:
        sys.exit("aws %s: exit %s, want %r:\n%s" % (" ".join(args), code, want or fails, text))
    return json.loads(out.getvalue()) if out.getvalue().startswith("{") else text


def sqs(*args, **kw):
    return aws("sqs", *args, **kw)


def iot(*args, **kw):
    return aws("iot", *args, **kw)


def data(*args, **kw):
    aws("iot-data", *args, "out.json", **kw)
    with open("out.json") as f:
        return f.read()


base = endpoint + "/us-east-1/000000000000/"
q, dlq = base + "q", base + "dlq"
arn = "arn:aws:sqs:us-east-1:000000000000:"

sqs("create-queue", "--queue-name", "dlq", want=dlq)
sqs("create-queue", "--queue-name", "q", "--attributes", json.dumps({
    "VisibilityTimeout": "0",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn + "dlq", "maxReceiveCount": 5}),
}), "--tags", "a=1", want=q)
sqs("get-queue-url", "--queue-name", "q", want=q)
sqs("get-queue-url", "--queue-name", "none", fails="NonExistentQueue")
sqs("list-queues", "--queue-name-prefix", "d", want=dlq)
sqs("get-queue-attributes", "--queue-url", q, "--attribute-names", "All", want=arn + "q")
sqs("set-queue-attributes", "--queue-url", q, "--attributes", "DelaySeconds=0")
sqs("tag-queue", "--queue-url", q, "--tags", "b=2")
sqs("untag-queue", "--queue-url", q, "--tag-keys", "a")
sqs("list-queue-tags", "--queue-url", q, want='"b": "2"')
sqs("list-dead-letter-source-queues", "--queue-url", dlq, want=q)
sqs("send-message", "--queue-url", q, "--message-body", "h\u00e9llo", "--message-attributes",
    '{"n":{"DataType":"Number","StringValue":"1"}}', want="MD5OfMessageAttributes")
sqs("send-message-batch", "--queue-url", q, "--entries", "Id=a,MessageBody=one", "Id=b,MessageBody=two", want='"Id": "b"')
got = sqs("receive-message", "--queue-url", q, "--max-number-of-messages", "10", "--visibility-timeout", "60",
          "--message-attribute-names", "All", "--attribute-names", "All", want="SentTimestamp")["Messages"]
assert len(got) == 3, got
handle = [m["ReceiptHandle"] for m in got]
sqs("change-message-visibility", "--queue-url", q, "--receipt-handle", handle[0], "--visibility-timeout", "30")
sqs("change-message-visibility-batch", "--queue-url", q, "--entries",
    "Id=a,ReceiptHandle=%s,VisibilityTimeout=30" % handle[1], want='"Id": "a"')
sqs("delete-message", "--queue-url", q, "--receipt-handle", handle[0])
sqs("delete-message-batch", "--queue-url", q, "--entries", "Id=a,ReceiptHandle=" + handle[1], want='"Id": "a"')
sqs("send-message", "--queue-url", dlq, "--message-body", "x")
task = sqs("start-message-move-task", "--source-arn", arn + "dlq", "--destination-arn", arn + "q",
           "--max-number-of-messages-per-second", "1")["TaskHandle"]
sqs("list-message-move-tasks", "--source-arn", arn + "dlq", want='"SourceArn"')
sqs("cancel-message-move-task", "--task-handle", task, want="ApproximateNumberOfMessagesMoved")
sqs("purge-queue", "--queue-url", q)
sqs("delete-queue", "--queue-url", q)
sqs("add-permission", "--queue-url", dlq, "--label", "l", "--aws-account-ids", "1", "--actions", "*", fails="UnknownOperationException")

iot("create-thing-type", "--thing-type-name", "th", want=":thingtype/th")
iot("update-thing-type", "--thing-type-name", "th", "--thing-type-properties", "thingTypeDescription=thermometer")
iot("describe-thing-type", "--thing-type-name", "th", want="thermometer")
iot("list-thing-types", want='"th"')
iot("create-thing", "--thing-name", "a:1", "--thing-type-name", "th", want=":thing/a:1")
iot("create-thing", "--thing-name", "a:1", fails="ResourceAlreadyExistsException")
iot("update-thing", "--thing-name", "a:1", "--attribute-payload", '{"attributes":{"k":"v"}}')
iot("describe-thing", "--thing-name", "a:1", want='"k": "v"')
iot("list-things", "--thing-type-name", "th", want='"a:1"')
iot("describe-endpoint", "--endpoint-type", "iot:Data-ATS", want=endpoint.removeprefix("http://"))
assert '"version":1' in data("update-thing-shadow", "--thing-name", "a:1", "--payload", '{"state":{"reported":{"t":21.5}}}')
assert '"t":21.5' in data("get-thing-shadow", "--thing-name", "a:1")
data("update-thing-shadow", "--thing-name", "a:1", "--shadow-name", "two", "--payload", '{"state":{}}')
aws("iot-data", "list-named-shadows-for-thing", "--thing-name", "a:1", want='"two"')
data("delete-thing-shadow", "--thing-name", "a:1")
aws("iot-data", "publish", "--topic", "dt/a", "--payload", "p")
iot("delete-thing", "--thing-name", "a:1")
iot("deprecate-thing-type", "--thing-type-name", "th")
iot("delete-thing-type", "--thing-type-name", "th", fails="InvalidRequestException")
