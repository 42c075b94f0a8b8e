// Package device is the delivery policy of a battery device that holds four fixed
// addresses: whom to send to, how long to listen, when to send again, when to give up.
// It is a pure state machine: it has no clock, no socket, no heap and no float, so that
// it can be read beside its C twin in the folder c, line by line. The host feeds it
// events (Wake, TxDone, Rx, Timer) and does the one thing that each of them returns.
//
// Times in milliseconds are of any clock that runs while the device is awake, times in
// seconds of any that runs while it sleeps too. Both may wrap around. docs/device.md
// explains the rules, which are named R1 to R15 there and here.
package device

// N is how many addresses a device holds at most. Neighbours are in different regions.
const N = 4

// Transmission, by RFC 7252, section 4.8. Times are in milliseconds.
const (
	ackTimeout       = 2000 // ACK_TIMEOUT
	ackSpread        = 1000 // ACK_TIMEOUT * (ACK_RANDOM_FACTOR - 1)
	maxTransmissions = 5    // MAX_RETRANSMIT + 1
	minListen        = 1000 // no transmission unless this much of the window remains when it falls due
)

// The listening window, in milliseconds.
const (
	serverTime   = 750 // an ingestor answers within 700 ms, if only with 5.03
	maxDoublings = 5
	fullEvery    = 4 // in a network that is dead, one check-in in so many has the full window
)

// Holds and spreads, in seconds.
const (
	defaultHold = 60    // 5.03 without Max-Age (RFC 7252, section 5.10.5), any other 5.xx, RST
	maxHold     = 86400 // a day, whatever Max-Age says
	bootSpread  = 600   // a fleet whose power returns does not speak at once
)

// Blame, in check-ins.
const (
	radioSilence = 3 // silent ones in a row that clear all addresses; with 2, two dead neighbours would never be found out
	maxLevel     = 5
	maxMisses    = 3
	maxPenalty   = N << (maxLevel - 1)
	maxSkip      = 63
)

// before reports whether a is earlier than b on a clock that wraps around.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// bit is an address in a set of addresses.
func bit(address uint8) uint8 { return 1 << address }
