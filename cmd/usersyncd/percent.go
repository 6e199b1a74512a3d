package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// mostReserved leaves enough of a quota to work with.
const mostReserved = 0.9

// percent is a flag's share of something, 0 to 0.9. It takes "20%", "20 %" and "0.2".
type percent float64

func (p *percent) String() string {
	return strconv.FormatFloat(math.Round(1e6*float64(*p))/1e4, 'f', -1, 64) + "%"
}

// Set implements pflag.Value.
func (p *percent) Set(text string) error {
	number, hundredths := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if hundredths {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= mostReserved) {
		return errors.New("a share from 0% to 90%")
	}
	*p = percent(math.Abs(v)) // -0 is a number, too
	return nil
}

// Type implements pflag.Value.
func (p *percent) Type() string { return "percent" }
