package civil

import (
	"fmt"
	"math"
)

// Cents is an amount of money in euro cents; it may be negative.
type Cents int64

// maxFloatCents bounds what FromFloat accepts: beyond it a double no longer holds every cent.
const maxFloatCents = 1 << 53

// FromFloat converts an amount in euros as Odoo sends it, rounded to the nearest cent.
// It refuses NaN, infinities and amounts that a double cannot hold to the cent.
func FromFloat(euros float64) (Cents, error) {
	c := math.Round(euros * 100)
	if math.IsNaN(c) || math.Abs(c) > maxFloatCents {
		return 0, fmt.Errorf("%v is not an amount in euros", euros)
	}
	return Cents(c), nil
}

// Euros returns the amount for machines: "12.50", "-0.05".
func (c Cents) Euros() string {
	sign := ""
	u := uint64(c)
	if c < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// ParseEuros reads what Euros writes: digits, a dot and exactly two decimals.
func ParseEuros(s string) (Cents, error) {
	var c int64
	neg := false
	digits, i := s, 0
	if len(digits) > 0 && digits[0] == '-' {
		neg, digits = true, digits[1:]
	}
	if len(digits) < 4 || len(digits) > 17 || digits[len(digits)-3] != '.' {
		return 0, fmt.Errorf("%q is not an amount like 12.50", s)
	}
	for i = 0; i < len(digits); i++ {
		if i == len(digits)-3 {
			continue
		}
		if digits[i] < '0' || digits[i] > '9' {
			return 0, fmt.Errorf("%q is not an amount like 12.50", s)
		}
		c = c*10 + int64(digits[i]-'0')
	}
	if neg {
		c = -c
	}
	return Cents(c), nil
}

// Split divides c into n parts that differ by at most one cent and add up to c; the first parts carry the rest.
// n must be positive.
func (c Cents) Split(n int) []Cents {
	parts := make([]Cents, n)
	each, rest := c/Cents(n), c%Cents(n)
	step := Cents(1)
	if rest < 0 {
		rest, step = -rest, -1
	}
	for i := range parts {
		parts[i] = each
		if Cents(i) < rest {
			parts[i] += step
		}
	}
	return parts
}
