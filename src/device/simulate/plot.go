package main

import (
	"fmt"
	"strings"

	"coap-for-aws-iot/src/device"
)

// A panel of the plot shows one figure over the round trip, for both algorithms.
type panel struct {
	left  int
	title string
	most  int // at the top of its axis
	every int // between lines of the grid
	value func(*tally) int
}

const (
	panelTop, panelWidth, panelHeight = 60, 360, 240
	firstTrip, lastTrip, tripStep     = 300, 6000, 100 // ms
)

// plot is an SVG of both algorithms over round trips from 0.3 to 6 s.
func plot(seed uint64) string {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 380" font-family="sans-serif" font-size="13">` + "\n")
	b.WriteString(`<rect width="900" height="380" fill="#fff"/>` + "\n")
	var loops, policies []tally
	for trip := firstTrip; trip <= lastTrip; trip += tripStep {
		n := network{roundTrip: uint32(trip)}
		loops = append(loops, mean(plain, n, seed, few))
		policies = append(policies, mean(ours(device.Config{}), n, seed, few))
	}
	for _, p := range []panel{
		{60, "unverified of 400 check-ins", 400, 100, func(t *tally) int { return int(t.unverified * checkIns / t.checkIns) }},
		{520, "millicoulombs a verified report", 600, 100, func(t *tally) int {
			return int(t.charge() * t.checkIns / (t.checkIns - t.unverified) / 10)
		}},
	} {
		p.axes(&b)
		p.line(&b, loops, "#c0392b")
		p.line(&b, policies, "#1f6fb2")
	}
	b.WriteString(`<text x="60" y="365" fill="#c0392b">plain retry loop</text>` + "\n")
	b.WriteString(`<text x="180" y="365" fill="#1f6fb2">delivery policy</text>` + "\n")
	b.WriteString("</svg>\n")
	return b.String()
}

func (p *panel) x(trip int) int { return p.left + (trip-firstTrip)*panelWidth/(lastTrip-firstTrip) }

func (p *panel) y(value int) int { return panelTop + panelHeight - value*panelHeight/p.most }

func (p *panel) axes(b *strings.Builder) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", p.left, panelTop-20, p.title)
	for v := 0; v <= p.most; v += p.every {
		fmt.Fprintf(b, `<path d="M%d %dh%d" stroke="#ddd"/><text x="%d" y="%d" text-anchor="end">%d</text>`+"\n",
			p.left, p.y(v), panelWidth, p.left-6, p.y(v)+4, v)
	}
	for trip := 1000; trip <= lastTrip; trip += 1000 {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", p.x(trip), panelTop+panelHeight+20, trip/1000)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">round trip, seconds</text>`+"\n",
		p.left+panelWidth/2, panelTop+panelHeight+40)
}

func (p *panel) line(b *strings.Builder, tallies []tally, colour string) {
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
	for i := range tallies {
		fmt.Fprintf(b, "%d,%d ", p.x(firstTrip+i*tripStep), p.y(min(p.value(&tallies[i]), p.most)))
	}
	b.WriteString(`"/>` + "\n")
}
