package local

import (
	"fmt"
	"net/http"
)

// An apiError is an error as AWS names it, on its way to the caller.
type apiError struct {
	name    string // the exception's shape name: "QueueDoesNotExist"
	status  int
	message string

	resourceID, resourceARN string // ResourceAlreadyExistsException: of what exists
}

func (e *apiError) Error() string { return e.name + ": " + e.message }

// fail returns an error of AWS's name, HTTP status and text.
func fail(status int, name, format string, args ...any) *apiError {
	return &apiError{name: name, status: status, message: fmt.Sprintf(format, args...)}
}

// unknownOperation is the answer to whatever this package does not implement.
func unknownOperation(status int) *apiError {
	return fail(status, "UnknownOperationException", "")
}

// body is the error as AWS IoT writes it.
func (e *apiError) body() any {
	return struct {
		Message     string `json:"message"`
		ResourceID  string `json:"resourceId,omitempty"`
		ResourceARN string `json:"resourceArn,omitempty"`
	}{e.message, e.resourceID, e.resourceARN}
}

// internalFailure is each service's error for what is not the caller's fault.
func internalFailure(c *call, err error) *apiError {
	name := "InternalFailureException"
	if c.service == "sqs" {
		name = "InternalFailure"
	}
	return fail(http.StatusInternalServerError, name, "%v", err)
}
