package local

import (
	"strings"
	"unicode/utf8"
)

// Cost allocation tags of queues (SQS API reference, TagQueue; AWS's own tag restrictions).

// Limits of tags.
const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

func checkTags(tags map[string]string) *apiError {
	for k, v := range tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return invalidParameter("Tag keys must be between 1 and %d characters in length and must not begin with aws:.", maxTagKey)
		}
		if utf8.RuneCountInString(v) > maxTagValue {
			return invalidParameter("Tag values may be up to %d characters in length.", maxTagValue)
		}
	}
	return nil
}

type tagQueueIn struct {
	queueURLIn
	Tags map[string]string
}

func (s *Service) tagQueue(c *call, in *tagQueueIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.tags)
	for k := range in.Tags {
		if _, has := q.tags[k]; !has {
			n++
		}
	}
	if n > maxTags {
		return nil, invalidParameter("Too many tags added for queue %s.", q.name)
	}
	for k, v := range in.Tags {
		q.tags[k] = v
	}
	s.save(c, q)
	return nil, nil
}

type untagQueueIn struct {
	queueURLIn
	TagKeys []string
}

func (s *Service) untagQueue(c *call, in *untagQueueIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, missingParameter("TagKeys")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range in.TagKeys {
		delete(q.tags, k)
	}
	s.save(c, q)
	return nil, nil
}

func (s *Service) listQueueTags(c *call, in *queueURLIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	out := struct {
		Tags map[string]string `json:",omitempty"`
	}{make(map[string]string, len(q.tags))}
	for k, v := range q.tags {
		out.Tags[k] = v
	}
	return out, nil
}
