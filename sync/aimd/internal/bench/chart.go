package main

import (
	"fmt"
	"strings"
	"time"

	"usersyncd/sync/aimd/internal/lab"
)

// The chart: a row a policy, on one axis of time.
const (
	chartCalls = 1000
	chartSpan  = 260 * time.Second
	chartStep  = 2 * time.Second
	chartTop   = 40.0 // answers/s that a row has room for

	chartLeft, chartRight = 92, 16
	chartWidth            = 860
	rowHeight, rowGap     = 74, 22
	chartHead             = 58
)

const chartStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.note { fill: #57606a } .title { font-weight: 600; font-size: 14px }
.axis { stroke: #8c959f } .grid { stroke: #8c959f; stroke-opacity: .3 }
.rate { fill: #0969da; fill-opacity: .25; stroke: #0969da } .bad { stroke: #cf222e; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 }
  .rate { fill: #4493f8; stroke: #4493f8 } .bad { stroke: #f85149 }
}
</style>
`

// draw plays the first scenario once with each policy.
func draw() string {
	policies := lab.Policies()
	height := chartHead + len(policies)*(rowHeight+rowGap) + 20
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t">`+"\n", chartWidth, height)
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, `<text class="title" x="8" y="20" id="t">1,000 calls at a quota of 300 per minute: responses per second, and 429s</text>`+"\n")
	fmt.Fprintf(&b, `<text class="note" x="8" y="38">blue: completed calls per second, 0 to 40 in each row; red: 429s, higher for more at once; one seed of scenario S1</text>`+"\n")
	for i, p := range policies {
		clients, f := lab.Play(lab.Scenarios()[0], p.Policy, chartCalls, 1)
		row(&b, chartHead+i*(rowHeight+rowGap), p.Name, clients[0], f)
	}
	base := chartHead + len(policies)*(rowHeight+rowGap) - rowGap
	for t := time.Duration(0); t <= chartSpan; t += time.Minute {
		fmt.Fprintf(&b, `<text class="note" x="%.0f" y="%d" text-anchor="middle">%.0f s</text>`+"\n", across(t), base+16, t.Seconds())
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// across is where a time is on the axis.
func across(t time.Duration) float64 {
	return chartLeft + (chartWidth-chartLeft-chartRight)*t.Seconds()/chartSpan.Seconds()
}

func row(b *strings.Builder, top int, name string, c *lab.Client, f lab.Figures) {
	base := top + rowHeight
	fmt.Fprintf(b, `<text x="8" y="%d">%s</text>`+"\n", base-4, name)
	fmt.Fprintf(b, `<text class="note" x="%d" y="%d" text-anchor="end">%.0f s, 429s on %.1f %% of the calls, %d users lost</text>`+"\n",
		chartWidth-chartRight, top+8, f.Took.Seconds(), f.Throttled, f.Lost)
	for t := time.Duration(0); t <= chartSpan; t += time.Minute {
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", across(t), across(t), top+14, base)
	}
	done, bad := perStep(c.DoneAt), perStep(c.ThrottledAt)
	fmt.Fprintf(b, `<path class="rate" d="M%.1f %d`, across(0), base)
	for i, n := range done {
		y := float64(base) - rowHeight*min(float64(n)/chartStep.Seconds()/chartTop, 1)
		fmt.Fprintf(b, `V%.1fH%.1f`, y, across(time.Duration(i+1)*chartStep))
	}
	fmt.Fprintf(b, `V%dZ"/>`+"\n", base)
	for i, n := range bad {
		if n > 0 {
			x := (across(time.Duration(i)*chartStep) + across(time.Duration(i+1)*chartStep)) / 2
			fmt.Fprintf(b, `<line class="bad" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", x, x, base, base-min(6+3*n, rowHeight))
		}
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", chartLeft, chartWidth-chartRight, base, base)
}

// perStep counts times by the step they fall into.
func perStep(times []time.Time) []int {
	counts := make([]int, int(chartSpan/chartStep))
	for _, at := range times {
		if i := int(at.Sub(lab.Epoch()) / chartStep); i < len(counts) {
			counts[i]++
		}
	}
	return counts
}
