package local

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (p *probe) attributes(url *string, names ...types.QueueAttributeName) map[string]string {
	p.Helper()
	out, err := p.sqs.GetQueueAttributes(p.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	if err != nil {
		p.Fatal(err)
	}
	return out.Attributes
}

func (p *probe) set(url *string, attributes ...string) error {
	return errorOf(p.sqs.SetQueueAttributes(p.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: pairs(attributes)}))
}

func (p *probe) create(name *string, attributes ...string) error {
	return errorOf(p.sqs.CreateQueue(p.Context(), &sqs.CreateQueueInput{QueueName: name, Attributes: pairs(attributes)}))
}

var queueRules = []rule{
	{"queue-create-same-again", func(p *probe) {
		first := p.queue("q", "VisibilityTimeout", "60")
		equalTo(p, "URL of the same queue again", *p.queue("q", "VisibilityTimeout", "60"), *first)
		equalTo(p, "URL without attributes", *p.queue("q"), *first)
	}},
	{"queue-create-other-attributes", func(p *probe) {
		p.queue("q", "VisibilityTimeout", "60")
		wantError(p, "other value", p.create(p.name("q"), "VisibilityTimeout", "61"), "QueueAlreadyExists", 400)
	}},
	{"queue-name", func(p *probe) {
		for _, name := range []string{"with space", "a.b", "ü", strings.Repeat("x", 81)} {
			wantError(p, name, p.create(&name), "InvalidParameterValue", 400)
		}
		p.fine(nil, p.create(aws.String(strings.Repeat("x", 80))))
	}},
	{"queue-deleted-recently", func(p *probe) {
		url := p.queue("q")
		p.fine(p.sqs.DeleteQueue(p.Context(), &sqs.DeleteQueueInput{QueueUrl: url}))
		wantError(p, "at once", p.create(p.name("q")), "AWS.SimpleQueueService.QueueDeletedRecently", 400)
		p.sleep(time.Minute)
		p.fine(nil, p.create(p.name("q")))
	}},
	{"queue-does-not-exist", func(p *probe) {
		url := p.queue("q")
		p.fine(p.sqs.DeleteQueue(p.Context(), &sqs.DeleteQueueInput{QueueUrl: url}))
		ctx, none := p.Context(), p.name("none")
		p.refused("AWS.SimpleQueueService.NonExistentQueue", 400, map[string]error{
			"send":       errorOf(p.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: none})),
			"receive":    errorOf(p.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url})),
			"attributes": errorOf(p.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url})),
			"URL":        errorOf(p.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: none})),
			"purge":      errorOf(p.sqs.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})),
			"delete":     errorOf(p.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})),
		})
	}},
	{"queue-of-another-region", func(p *probe) {
		p.queue("q")
		_, err := p.eu.sqs.GetQueueUrl(p.Context(), &sqs.GetQueueUrlInput{QueueName: p.name("q")})
		wantError(p, "in eu-west-1", err, "AWS.SimpleQueueService.NonExistentQueue", 400)
	}},
	{"queue-list-prefix-and-pages", func(p *probe) {
		for _, name := range []string{"b1", "a2", "a1", "a3"} {
			p.queue(name)
		}
		in := &sqs.ListQueuesInput{QueueNamePrefix: p.name("a"), MaxResults: aws.Int32(2)}
		var got []string
		for pages := 1; ; pages++ {
			out, err := p.sqs.ListQueues(p.Context(), in)
			if err != nil {
				p.Fatal(err)
			}
			for _, url := range out.QueueUrls {
				got = append(got, url[strings.LastIndex(url, "/")+1:])
			}
			if out.NextToken == nil {
				equalTo(p, "pages", pages, 2)
				break
			}
			in.NextToken = out.NextToken
		}
		slices.Sort(got)
		equalTo(p, "queues", strings.Join(got, " "), *p.name("a1")+" "+*p.name("a2")+" "+*p.name("a3"))
		out, err := p.sqs.ListQueues(p.Context(), &sqs.ListQueuesInput{QueueNamePrefix: p.name("a")})
		p.fine(out, err)
		equalTo(p, "no token without MaxResults", out.NextToken, nil)
		_, err = p.sqs.ListQueues(p.Context(), &sqs.ListQueuesInput{MaxResults: aws.Int32(1001)})
		wantError(p, "MaxResults 1001", err, "InvalidParameterValue", 400)
	}},
	{"queue-attribute-defaults", func(p *probe) {
		got := p.attributes(p.queue("q"), "All")
		for name, want := range map[string]string{
			"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
			"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true",
			"QueueArn": "arn:aws:sqs:us-east-1:" + got["QueueArn"][len("arn:aws:sqs:us-east-1:"):][:12] + ":" + *p.name("q"),
		} {
			equalTo(p, name, got[name], want)
		}
		if got["CreatedTimestamp"] == "" || got["LastModifiedTimestamp"] == "" {
			p.Errorf("no timestamps: %v", got)
		}
	}},
	{"queue-attribute-selection", func(p *probe) {
		url := p.queue("q")
		equalTo(p, "attributes when none is asked for", len(p.attributes(url)), 0)
		equalTo(p, "attributes when one is asked for", len(p.attributes(url, "VisibilityTimeout")), 1)
		_, err := p.sqs.GetQueueAttributes(p.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"Nonsense"}})
		wantError(p, "unknown name", err, "InvalidAttributeName", 400)
	}},
	{"queue-attribute-ranges", func(p *probe) {
		url := p.queue("q")
		for name, values := range map[string][2][]string{
			"DelaySeconds":                  {{"0", "900"}, {"-1", "901", "x", ""}},
			"MaximumMessageSize":            {{"1024", "1048576"}, {"1023", "1048577"}},
			"MessageRetentionPeriod":        {{"60", "1209600"}, {"59", "1209601"}},
			"ReceiveMessageWaitTimeSeconds": {{"0", "20"}, {"-1", "21"}},
			"VisibilityTimeout":             {{"0", "43200"}, {"-1", "43201"}},
		} {
			for _, good := range values[0] {
				p.fine(nil, p.set(url, name, good))
				equalTo(p, name, p.attributes(url, types.QueueAttributeName(name))[name], good)
			}
			for _, bad := range values[1] {
				wantError(p, name+" "+bad, p.set(url, name, bad), "InvalidAttributeValue", 400)
			}
		}
	}},
	{"queue-attribute-unknown", func(p *probe) {
		wantError(p, "set", p.set(p.queue("q"), "Nonsense", "1"), "InvalidAttributeName", 400)
		wantError(p, "create", p.create(p.name("q2"), "Nonsense", "1"), "InvalidAttributeName", 400)
	}},
	{"queue-purge", func(p *probe) {
		url := p.queue("q")
		send(p, p.clients, url, "in flight")
		receive(p, p.clients, url, 0)
		send(p, p.clients, url, "waiting")
		p.fine(p.sqs.PurgeQueue(p.Context(), &sqs.PurgeQueueInput{QueueUrl: url}))
		got := p.attributes(url, "All")
		equalTo(p, "messages", got["ApproximateNumberOfMessages"]+" "+got["ApproximateNumberOfMessagesNotVisible"], "0 0")
	}},
	{"queue-purge-in-progress", func(p *probe) {
		url := p.queue("q")
		p.fine(p.sqs.PurgeQueue(p.Context(), &sqs.PurgeQueueInput{QueueUrl: url}))
		_, err := p.sqs.PurgeQueue(p.Context(), &sqs.PurgeQueueInput{QueueUrl: url})
		wantError(p, "at once", err, "AWS.SimpleQueueService.PurgeQueueInProgress", 403)
		p.sleep(time.Minute)
		p.fine(p.sqs.PurgeQueue(p.Context(), &sqs.PurgeQueueInput{QueueUrl: url}))
	}},
	{"queue-tags", func(p *probe) {
		ctx, name := p.Context(), p.name("q")
		out, err := p.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: name, Tags: map[string]string{"a": "1", "b": "2"}})
		p.fine(out, err)
		p.fine(p.sqs.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: out.QueueUrl, Tags: map[string]string{"b": "3", "B": "4"}}))
		p.fine(p.sqs.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: out.QueueUrl, TagKeys: []string{"a", "none"}}))
		tags, err := p.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: out.QueueUrl})
		p.fine(tags, err)
		if len(tags.Tags) != 2 || tags.Tags["b"] != "3" || tags.Tags["B"] != "4" {
			p.Errorf("tags %v, want b: 3, B: 4", tags.Tags)
		}
	}},
	{"queue-tag-limits", func(p *probe) {
		url := p.queue("q")
		tag := func(k, v string) error {
			return errorOf(p.sqs.TagQueue(p.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{k: v}}))
		}
		p.refused("InvalidParameterValue", 400, map[string]error{
			"key of 129 characters":   tag(strings.Repeat("k", 129), "v"),
			"value of 257 characters": tag("k", strings.Repeat("v", 257)),
			"reserved key":            tag("aws:k", "v"),
		})
	}},
}
