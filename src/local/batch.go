package local

import (
	"net/http"
)

// maxBatch is how many entries a batch may have.
const maxBatch = 10

// batchOut is the answer to a batch: 200, whatever became of each entry.
type batchOut struct {
	Successful []succeeded
	Failed     []failedEntry
}

// succeeded is the result of an entry.
type succeeded interface{ entry() string }

type failedEntry struct {
	Id          string
	Code        string
	Message     string
	SenderFault bool
}

type entryID struct{ Id string }

func (e entryID) entry() string { return e.Id }
func (e sentOut) entry() string { return e.Id }

// spoil returns the answer with those successful entries that hit chooses turned into
// failures, though they took effect.
func (b batchOut) spoil(hit func() bool, err *apiError) batchOut {
	out := batchOut{Successful: []succeeded{}, Failed: b.Failed}
	for _, e := range b.Successful {
		if hit() {
			out.fail(e.entry(), err)
			continue
		}
		out.Successful = append(out.Successful, e)
	}
	return out
}

func (b *batchOut) fail(id string, err *apiError) {
	b.Failed = append(b.Failed, failedEntry{
		Id:          id,
		Code:        err.queryCode(),
		Message:     err.message,
		SenderFault: err.status < http.StatusInternalServerError,
	})
}

// checkBatch checks the ids of a batch: what is wrong here fails the whole call.
func checkBatch(ids []string) *apiError {
	if len(ids) == 0 {
		return fail(http.StatusBadRequest, "EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(ids) > maxBatch {
		return fail(http.StatusBadRequest, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(ids))
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !validName(id, 80, "-") {
			return fail(http.StatusBadRequest, "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return fail(http.StatusBadRequest, "BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}
