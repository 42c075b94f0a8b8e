// Lambda applies the primary queue to AWS IoT, see package processor.
package main

import "coap-for-aws-iot/src/processor"

func main() { processor.Main() }
