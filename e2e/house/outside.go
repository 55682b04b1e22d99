package house

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Mail is a mail of the drop.
type Mail struct {
	ID          int64        `json:"id"`
	From        string       `json:"from"`
	To          []string     `json:"to"`
	Subject     string       `json:"subject"`
	MessageID   string       `json:"messageId"`
	Text        string       `json:"text"`
	HTML        string       `json:"html"`
	Attachments []Attachment `json:"attachments"`
	Fault       string       `json:"fault"`
}

// Attachment is a file in a mail.
type Attachment struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size int    `json:"size"`
}

// Mails returns the mails to an address, newest first; all for "".
func (h *House) Mails(ctx context.Context, to string) ([]Mail, error) {
	body, err := get(ctx, h.Mail+"/api/mails?to="+url.QueryEscape(to))
	if err != nil {
		return nil, err
	}
	var all []Mail
	return all, json.Unmarshal(body, &all)
}

// Attached returns the file n of a mail.
func (h *House) Attached(ctx context.Context, mail int64, n int) ([]byte, error) {
	return get(ctx, fmt.Sprintf("%s/mails/%d/attachments/%d", h.Mail, mail, n))
}

// WaitMail returns the newest mail to an address whose subject contains the text, as soon as there is one.
func (h *House) WaitMail(ctx context.Context, to, subject string) (Mail, error) {
	var found Mail
	err := Eventually(ctx, func(ctx context.Context) error {
		all, err := h.Mails(ctx, to)
		if err != nil {
			return err
		}
		var subjects []string
		for _, m := range all {
			if strings.Contains(m.Subject, subject) {
				found = m
				return nil
			}
			subjects = append(subjects, m.Subject)
		}
		return fmt.Errorf("no mail %q to %s, only %q", subject, to, subjects)
	})
	return found, err
}

// Payment is a line of the payment simulator's books.
type Payment struct {
	ID          string    `json:"id"`
	Status      string    `json:"status"`
	Cents       int64     `json:"cents"`
	Description string    `json:"description"`
	Method      string    `json:"method"`
	Refunded    int64     `json:"refundedCents"`
	CreatedAt   time.Time `json:"createdAt"`
}

// Books returns every payment that the simulator knows.
func (h *House) Books(ctx context.Context) ([]Payment, error) {
	body, err := get(ctx, h.Mollie+"/simulator/payments")
	if err != nil {
		return nil, err
	}
	var all []Payment
	return all, json.Unmarshal(body, &all)
}

// PhoneBooks returns every payment that the simulator of Bancontact Pro knows.
func (h *House) PhoneBooks(ctx context.Context) ([]Payment, error) {
	body, err := get(ctx, h.Bancontact+"/simulator/payments")
	if err != nil {
		return nil, err
	}
	var all []Payment
	return all, json.Unmarshal(body, &all)
}

// patience is how long Eventually waits on a busy machine.
const patience = 90 * time.Second

// Eventually calls f until it succeeds, and returns its last error when that takes too long.
func Eventually(ctx context.Context, f func(ctx context.Context) error) error {
	return Within(ctx, patience, f)
}

// Within is Eventually with another patience.
func Within(ctx context.Context, patience time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", patience, last)
		case <-time.After(150 * time.Millisecond):
		}
	}
}
