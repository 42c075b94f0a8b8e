// Command daemon is the ingestor, see package ingestor. Its environment is its only
// configuration.
package main

import "coap-for-aws-iot/src/ingestor"

func main() { ingestor.Main() }
