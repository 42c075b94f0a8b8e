// Lambda forwards the queue of a secondary region into the primary's, see package
// replicator.
package main

import "coap-for-aws-iot/src/replicator"

func main() { replicator.Main() }
