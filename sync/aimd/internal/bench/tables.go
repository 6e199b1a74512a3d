package main

import (
	"fmt"
	"strings"

	"usersyncd/sync/aimd/internal/lab"
)

// options narrow down what is measured.
type options struct {
	seeds, calls     int
	scenario, policy string
}

func (o options) wants(s lab.Scenario) bool { return o.scenario == "" || o.scenario == s.Name }

// policies are those that are wanted.
func (o options) policies() (named []lab.Named) {
	for _, p := range lab.Policies() {
		if o.policy == "" || o.policy == p.Name {
			named = append(named, p)
		}
	}
	return named
}

// tables measures everything, and formats it as Markdown.
func (o options) tables() string {
	var b strings.Builder
	sizes := []int{500, 5000}
	if o.calls > 0 {
		sizes = []int{o.calls}
	}
	for _, n := range sizes {
		fmt.Fprintf(&b, "### %s calls\n\n", thousands(n))
		o.comparison(&b, n)
	}
	if o.calls == 0 && o.policy == "" && o.scenario == "" {
		b.WriteString("### More scenarios, usersyncd only\n\n")
		o.ours(&b)
		b.WriteString("### The worst of 20 seeds, usersyncd only\n\n")
		o.worst(&b)
		b.WriteString("### The script with other numbers of workers\n\n")
		o.scripts(&b)
	}
	return b.String()
}

// comparison is one row a scenario, one column a policy.
func (o options) comparison(b *strings.Builder, calls int) {
	policies := o.policies()
	b.WriteString("| | the API |")
	for _, p := range policies {
		fmt.Fprintf(b, " %s |", p.Name)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(policies)) + "\n")
	for _, s := range lab.Scenarios() {
		if !o.wants(s) || s.Pair || s.Tokens > 1 || s.Calls > 0 && o.scenario == "" {
			continue
		}
		fmt.Fprintf(b, "| %s | %s |", s.Name, s.What)
		for _, p := range policies {
			fmt.Fprintf(b, " %s |", cell(lab.Measure(s, p.Policy, calls, o.seeds), o.seeds))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// cell is how long it took, what it cost, and who had to pay.
func cell(f lab.Figures, seeds int) string {
	text := fmt.Sprintf("%.2fx, %.2f %%", f.Ratio, f.Throttled)
	if f.Denied > 0 {
		text += fmt.Sprintf(", rival denied %.0f %%", f.Denied)
	}
	if lost := lost(f, seeds); lost != "" {
		text += ", **" + lost + "**"
	}
	return text
}

// lost is how many calls were given up in a run.
func lost(f lab.Figures, seeds int) string {
	switch lost := float64(f.Lost) / float64(seeds); {
	case lost >= 1:
		return fmt.Sprintf("%.0f lost", lost)
	case lost > 0:
		return "some lost"
	}
	return ""
}

// ours are the cases that only a limiter which knows what it does can be asked about.
func (o options) ours(b *strings.Builder) {
	all := map[string]lab.Scenario{}
	for _, s := range lab.Scenarios() {
		all[s.Name] = s
	}
	policies := lab.Policies()
	limiter := policies[len(policies)-1].Policy
	b.WriteString("| the API | calls | time | multiple of the bound | 429 | |\n| --- | --- | --- | --- | --- | --- |\n")
	row := func(name string, calls int, note func(lab.Figures) string) {
		f := lab.Measure(all[name], limiter, calls, o.seeds)
		times := fmt.Sprintf("%.2fx", f.Ratio)
		if f.Ratio == 0 {
			times = ""
		}
		fmt.Fprintf(b, "| %s: %s | %s | %.1f s | %s | %.2f %% | %s |\n",
			name, all[name].What, thousands(calls), f.Took.Seconds(), times, f.Throttled, note(f))
	}
	nothing := func(lab.Figures) string { return "" }
	jain := func(f lab.Figures) string { return fmt.Sprintf("Jain index %.3f", f.Jain) }
	recovery := func(f lab.Figures) string {
		return fmt.Sprintf("full speed %.0f s after the quota was restored", f.Recovery)
	}
	row("S1", 100, nothing)
	row("S1", 50_000, nothing)
	row("S6", 5000, recovery)
	row("S6b", 5000, recovery)
	row("S11", 20_000, recovery)
	for _, s := range lab.Scenarios() {
		if s.Calls > 0 {
			row(s.Name, s.Calls, func(f lab.Figures) string { return lost(f, o.seeds) })
		}
	}
	row("S8", 1500, jain)
	row("S8b", 1500, jain)
	row("S8c", 1500, jain)
	row("S9", 5000, nothing)
	row("S9b", 5000, nothing)
	row("S9c", 5000, nothing)
	b.WriteString("\n")
}

// worst is how far a run may be from the median.
func (o options) worst(b *strings.Builder) {
	policies := lab.Policies()
	limiter := policies[len(policies)-1].Policy
	b.WriteString("| | 500 calls | 5,000 calls |\n| --- | --- | --- |\n")
	for _, s := range lab.Scenarios() {
		if s.Pair || s.Tokens > 1 || s.Calls > 0 {
			continue
		}
		fmt.Fprintf(b, "| %s |", s.Name)
		for _, n := range []int{500, 5000} {
			f := lab.Measure(s, limiter, n, o.seeds)
			fmt.Fprintf(b, " %s |", cell(lab.Figures{Ratio: f.WorstRatio, Throttled: f.WorstThrottled, Denied: f.WorstDenied, Lost: f.Lost}, o.seeds))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// scripts is the recipe with as many workers as people give it.
func (o options) scripts(b *strings.Builder) {
	b.WriteString("| workers | 500 calls, S1 | 5,000 calls, S1 |\n| --- | --- | --- |\n")
	for workers := 3; workers <= 5; workers++ {
		fmt.Fprintf(b, "| %d |", workers)
		for _, n := range []int{500, 5000} {
			fmt.Fprintf(b, " %s |", cell(lab.Measure(lab.Scenarios()[0], lab.Script(workers), n, o.seeds), o.seeds))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
