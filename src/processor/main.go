package processor

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"coap-for-aws-iot/src/function"
)

// Main runs the processor as a Lambda function, see [function.Main].
func Main() {
	function.Main("processor", FromEnviron, func(cfg Config, c aws.Config) any { return New(cfg, c).Handle })
}
