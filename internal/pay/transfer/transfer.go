// Package transfer makes and reads the structured communication that a Belgian bank transfer carries.
//
// Source: Febelfin, "Conditions pour proposer des virements": ten digits followed by their remainder modulo 97 on two
// digits, 97 in place of 0; printed +++DDD/DDDD/DDDDD+++, carried as twelve bare digits in SEPA messages and CODA.
package transfer

import (
	"errors"
	"fmt"
	"strconv"
)

// Communication is a valid structured communication: its twelve digits.
type Communication string

// ErrCommunication is returned for what is no structured communication.
var ErrCommunication = errors.New("not a structured communication")

// MaxNumber is the largest number a communication can carry.
const MaxNumber = 9_999_999_999

// New returns the communication that carries n, from 0 to MaxNumber; else ErrCommunication.
func New(n int64) (Communication, error) {
	if n < 0 || n > MaxNumber {
		return "", fmt.Errorf("%d: %w", n, ErrCommunication)
	}
	return Communication(fmt.Sprintf("%010d%02d", n, check(n))), nil
}

func check(n int64) int64 {
	if c := n % 97; c != 0 {
		return c
	}
	return 97
}

// Parse reads a communication in any punctuation: what is no digit is skipped, twelve digits must remain, and the
// check digits must be right. Check digits "00" are refused: banks write 97.
func Parse(s string) (Communication, error) {
	digits := make([]byte, 0, 12)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		if len(digits) == 12 {
			return "", ErrCommunication
		}
		digits = append(digits, s[i])
	}
	if len(digits) != 12 {
		return "", ErrCommunication
	}
	n, err := strconv.ParseInt(string(digits[:10]), 10, 64)
	if err != nil {
		return "", ErrCommunication
	}
	c, err := New(n)
	if err != nil || string(c) != string(digits) {
		return "", ErrCommunication
	}
	return c, nil
}

// Number returns the ten-digit number that c carries.
func (c Communication) Number() int64 {
	if len(c) != 12 {
		return 0
	}
	n, err := strconv.ParseInt(string(c[:10]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// String returns the printed form, +++202/6000/00192+++; "" for the zero value.
func (c Communication) String() string {
	if len(c) != 12 {
		return ""
	}
	s := string(c)
	return "+++" + s[:3] + "/" + s[3:7] + "/" + s[7:] + "+++"
}

// Digits returns the twelve bare digits, as SEPA messages and CODA carry them.
func (c Communication) Digits() string { return string(c) }
