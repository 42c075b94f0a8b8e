package main

// What the radio costs, after S. Røstad, "IoT Protocol Stack Current Optimizations for the
// nRF9160 SiP", NTNU and Nordic Semiconductor, 2020: measured on NB-IoT with PSM, 3.7 V, a
// CoAP message of 536 to 584 bytes an hour. In millicoulombs.
const (
	perMessage = 29          // 28.76 for a message with Release Assistance, the way into and out of PSM included
	perSecond  = 35          // (395.03 - 28.15) / (12 - 1.47): what 10.53 s more of being connected cost
	perHour    = 30          // 29.52 for an hour of sleep in PSM
	battery    = 3000 * 3600 // 3000 mAh, two lithium AA cells
)

// charge is what a check-in costs, in tenths of a millicoulomb.
func (t *tally) charge() uint64 {
	return (t.sends*perMessage*1000 + t.listened*perSecond) / (t.checkIns * 100)
}

// years is how long the battery lasts with a check-in an hour, in tenths, without what the
// sensor takes and what the battery loses by itself.
func (t *tally) years() uint64 {
	perHourTenths := t.charge() + perHour*10
	return battery * 10 * 10 / perHourTenths / (24 * 365)
}
