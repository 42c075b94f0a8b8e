// Lambda is a synthetic device that probes every address, see package canary.
package main

import "coap-for-aws-iot/src/canary"

func main() { canary.Main() }
