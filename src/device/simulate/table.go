package main

import (
	"errors"
	"fmt"
	"strings"

	"coap-for-aws-iot/src/device"
)

// row is a network under its name.
type row struct {
	name string
	network
}

var networks = []row{
	{"round trip 0.3 s", network{roundTrip: 300}},
	{"0.6 s", network{roundTrip: 600}},
	{"0.9 s", network{roundTrip: 900}},
	{"1.2 s", network{roundTrip: 1200}},
	{"1.5 s", network{roundTrip: 1500}},
	{"2 s", network{roundTrip: 2000}},
	{"2.6 s", network{roundTrip: 2600}},
	{"3.5 s", network{roundTrip: 3500}},
	{"4.5 s", network{roundTrip: 4500}},
	{"6 s", network{roundTrip: 6000}},
	{"one address dead", network{roundTrip: 300, dead: 1 << 1}},
	{"a region dead (0 and 2)", network{roundTrip: 300, dead: 1<<0 | 1<<2}},
	{"two neighbours dead (0 and 1)", network{roundTrip: 300, dead: 1<<0 | 1<<1}},
	{"three of four dead", network{roundTrip: 300, dead: 1<<0 | 1<<1 | 1<<2}},
	{"a region dead, round trip 2.6 s", network{roundTrip: 2600, dead: 1<<0 | 1<<2}},
	{"a region answers 5.03", network{roundTrip: 300, busy: 1<<0 | 1<<2}},
	{"1 % of datagrams lost", network{roundTrip: 300, loss: 1}},
	{"5 % lost", network{roundTrip: 300, loss: 5}},
	{"10 % lost", network{roundTrip: 300, loss: 10}},
	{"20 % lost", network{roundTrip: 300, loss: 20}},
	{"a region dead, 5 % lost", network{roundTrip: 300, dead: 1<<0 | 1<<2, loss: 5}},
	{"all dead", network{roundTrip: 300, dead: 15}},
}

// tables is what the command prints.
func tables(seed uint64) string {
	var b strings.Builder
	comparison(&b, seed)
	windows(&b, seed)
	limits(&b, seed)
	return b.String()
}

func comparison(b *strings.Builder, seed uint64) {
	fmt.Fprintf(b, "Of %d check-ins, one an hour (mean of 50 runs):\n\n", checkIns)
	b.WriteString("| network | plain: unverified | mC a check-in | mC a verified report | policy: unverified | mC a check-in | mC a verified report |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range networks {
		p := mean(plain, r.network, seed, many)
		o := mean(ours(device.Config{}), r.network, seed, many)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.name,
			p.of400(), tenths(p.charge()), p.chargeVerified(), o.of400(), tenths(o.charge()), o.chargeVerified())
	}
}

// windows shows what the smallest listening window buys.
func windows(b *strings.Builder, seed uint64) {
	b.WriteString("\nThe policy with other smallest windows, unverified of 400 and mC a check-in:\n\n")
	b.WriteString("| network | 1 s | 3 s | 4 s |\n|---|--:|--:|--:|\n")
	for _, r := range networks {
		if r.roundTrip != 300 && r.roundTrip != 2600 {
			continue
		}
		fmt.Fprintf(b, "| %s |", r.name)
		for _, least := range []uint32{1000, 3000, 4000} {
			t := mean(ours(device.Config{WindowMin: least}), r.network, seed, many)
			fmt.Fprintf(b, " %s, %s |", t.of400(), tenths(t.charge()))
		}
		b.WriteString("\n")
	}
}

// limits shows what a hard limit saves.
func limits(b *strings.Builder, seed uint64) {
	b.WriteString("\nThe policy with a hard limit, round trip 2 s:\n\n")
	b.WriteString("| hard limit | sent as NON, of 400 | mC a check-in | years on the battery |\n|---|--:|--:|--:|\n")
	for _, l := range []struct {
		name  string
		limit uint32
	}{
		{"none: each report is verified", 0},
		{"4 h", 4 * 3600},
		{"24 h", 24 * 3600},
	} {
		t := mean(ours(device.Config{HardLimit: l.limit}), network{roundTrip: 2000}, seed, many)
		fmt.Fprintf(b, "| %s | %d | %s | %s |\n", l.name, t.nons*checkIns/t.checkIns, tenths(t.charge()), tenths(t.years()))
	}
}

// of400 is how many of 400 check-ins were unverified, to a tenth if it is not whole.
func (t *tally) of400() string {
	n := t.unverified * checkIns * 10 / t.checkIns
	if n%10 == 0 {
		return fmt.Sprint(n / 10)
	}
	return tenths(n)
}

// chargeVerified is what a verified report costs, all check-ins included.
func (t *tally) chargeVerified() string {
	if t.unverified == t.checkIns {
		return "-"
	}
	return tenths(t.charge() * t.checkIns / (t.checkIns - t.unverified))
}

func tenths(n uint64) string { return fmt.Sprintf("%d.%d", n/10, n%10) }

// The tables stand between these lines of the page.
const (
	begin = "<!-- simulation: go run ./src/device/simulate -docs docs -->\n"
	end   = "<!-- end of simulation -->\n"
)

var errMarkers = errors.New("the lines between which the tables stand are missing")

func replaceTables(page, tables string) (string, error) {
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", errMarkers
	}
	return before + begin + tables + end + after, nil
}
