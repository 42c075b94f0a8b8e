package local

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
)

// ListDeadLetterSourceQueues and the message move tasks (SQS API reference).

type listSourcesIn struct {
	queueURLIn
	MaxResults *int
	NextToken  string
}

// sourcesOf returns the names of the queues whose DLQ has that ARN, sorted.
func (g *region) sourcesOf(arn string) []string {
	var names []string
	for _, q := range g.queues.all() {
		q.mu.Lock()
		if q.settings.redrive.target == arn {
			names = append(names, q.name)
		}
		q.mu.Unlock()
	}
	slices.Sort(names)
	return names
}

func (s *Service) listDeadLetterSourceQueues(c *call, in *listSourcesIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	names, next, err := sqsPage(c.region.sourcesOf(q.arn), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := struct {
		QueueUrls []string `json:"queueUrls"`
		NextToken string   `json:",omitempty"`
	}{make([]string, 0, len(names)), next}
	for _, name := range names {
		out.QueueUrls = append(out.QueueUrls, s.queueURL(c, name))
	}
	return out, nil
}

// queueByARN returns the queue that a parameter of a move task names.
func (g *region) queueByARN(parameter, arn string) (*queue, *apiError) {
	g.queues.mu.RLock()
	defer g.queues.mu.RUnlock()
	if q := g.queues.byARN(arn); q != nil {
		return q, nil
	}
	return nil, noTaskResource("The resource that you specified for the %s parameter doesn't exist.", parameter)
}

func noTaskResource(format string, args ...any) *apiError {
	return fail(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

type startMoveIn struct {
	SourceArn                    string
	DestinationArn               string
	MaxNumberOfMessagesPerSecond *int
}

type taskHandleOut struct{ TaskHandle string }

func (s *Service) startMessageMoveTask(c *call, in *startMoveIn) (any, *apiError) {
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	rate, err := within("MaxNumberOfMessagesPerSecond", in.MaxNumberOfMessagesPerSecond, 0, 1, maxMoveRate)
	if err != nil {
		return nil, err
	}
	source, err := c.region.queueByARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	if in.DestinationArn == in.SourceArn {
		return nil, invalidParameter("The source and the destination of a move must differ.")
	}
	if in.DestinationArn != "" {
		if _, err := c.region.queueByARN("DestinationArn", in.DestinationArn); err != nil {
			return nil, err
		}
	}
	if len(c.region.sourcesOf(in.SourceArn)) == 0 {
		return nil, invalidParameter("Source queue must be configured as a Dead Letter Queue.")
	}
	source.mu.Lock()
	s.advance(source, c.now)
	toMove := source.ready.Len()
	source.mu.Unlock()

	tasks := &c.region.tasks
	tasks.mu.Lock()
	defer tasks.mu.Unlock()
	if tasks.running(in.SourceArn) != nil {
		return nil, fail(http.StatusBadRequest, "UnsupportedOperation",
			"There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	t := &moveTask{
		ID:          newID(),
		Source:      in.SourceArn,
		Destination: in.DestinationArn,
		Rate:        rate,
		Started:     c.now,
		ToMove:      toMove,
		Status:      taskRunning,
	}
	forgotten := tasks.add(t)
	if s.journal != nil {
		changes := []change{t.saved(c.region)}
		if forgotten != nil {
			changes = append(changes, change{bucket: bucketTasks, key: nameKey(c.region.name, forgotten.ID)})
		}
		c.commit = s.journal.add(changes...)
	}
	s.tasks.Add(1)
	go s.run(c.region, t)
	return taskHandleOut{t.handle()}, nil
}

type cancelMoveIn struct{ TaskHandle string }

func (s *Service) cancelMessageMoveTask(c *call, in *cancelMoveIn) (any, *apiError) {
	if in.TaskHandle == "" {
		return nil, missingParameter("TaskHandle")
	}
	b, err := base64.StdEncoding.DecodeString(in.TaskHandle)
	if err != nil || !json.Valid(b) {
		return nil, invalidParameter("Value for parameter TaskHandle is invalid.")
	}
	tasks := &c.region.tasks
	tasks.mu.Lock()
	defer tasks.mu.Unlock()
	for _, t := range tasks.of {
		if t.handle() != in.TaskHandle {
			continue
		}
		if t.Status != taskRunning {
			return nil, fail(http.StatusBadRequest, "UnsupportedOperation", "Only active tasks can be cancelled.")
		}
		t.Status = taskCancelled
		if s.journal != nil {
			c.commit = s.journal.add(t.saved(c.region))
		}
		return struct{ ApproximateNumberOfMessagesMoved int }{t.Moved}, nil
	}
	return nil, noTaskResource("Task does not exist.")
}

type listMovesIn struct {
	SourceArn  string
	MaxResults *int
}

// movedTask is a task as ListMessageMoveTasks shows it.
type movedTask struct {
	TaskHandle                        string `json:",omitempty"` // of running tasks only
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64
}

func (s *Service) listMessageMoveTasks(c *call, in *listMovesIn) (any, *apiError) {
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	n, err := within("MaxResults", in.MaxResults, 1, 1, maxListedTasks)
	if err != nil {
		return nil, err
	}
	if _, err := c.region.queueByARN("SourceArn", in.SourceArn); err != nil {
		return nil, err
	}
	out := struct{ Results []movedTask }{Results: []movedTask{}}
	tasks := &c.region.tasks
	tasks.mu.Lock()
	defer tasks.mu.Unlock()
	for _, t := range slices.Backward(tasks.of) {
		if t.Source != in.SourceArn || len(out.Results) == n {
			continue
		}
		shown := movedTask{
			Status:                            t.Status,
			SourceArn:                         t.Source,
			DestinationArn:                    t.Destination,
			MaxNumberOfMessagesPerSecond:      t.Rate,
			ApproximateNumberOfMessagesMoved:  t.Moved,
			ApproximateNumberOfMessagesToMove: t.ToMove,
			FailureReason:                     t.Reason,
			StartedTimestamp:                  t.Started.UnixMilli(),
		}
		if t.Status == taskRunning {
			shown.TaskHandle = t.handle()
		}
		out.Results = append(out.Results, shown)
	}
	return out, nil
}
