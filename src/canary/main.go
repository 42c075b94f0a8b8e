package canary

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"coap-for-aws-iot/src/function"
)

// Main runs the canary as a Lambda function, see [function.Main].
func Main() {
	function.Main("canary", FromEnviron, func(cfg Config, c aws.Config) any { return New(cfg, c).Handle })
}
