package enroltest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ribambelle/internal/pay"
)

// Provider is a payment provider in memory, for tests of what we do with its answers; its protocol is tested against
// the simulators that speak it.
type Provider struct {
	world *World

	mu       sync.Mutex
	payments map[string]pay.Payment
	keys     map[string]string // idempotency key → payment or refund
	refunds  []pay.Refund
	silent   bool
	lose     bool
}

// Silence makes every call fail as if nobody answered, until it is called with false.
func (p *Provider) Silence(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = on
}

// LoseAnswers makes Create do its work and then fail, as when the line breaks before the answer.
func (p *Provider) LoseAnswers(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = on
}

// Set brings a payment to a status, as its payer or the clock would, with another amount if cents is not zero.
func (p *Provider) Set(id string, change func(*pay.Payment)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.payments[id]
	change(&one)
	p.payments[id] = one
}

// Pay marks a payment as paid.
func (p *Provider) Pay(id string) { p.Set(id, func(one *pay.Payment) { one.Status = pay.StatusPaid }) }

// Count returns how many payments were ever made.
func (p *Provider) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.payments)
}

// Name returns "test".
func (p *Provider) Name() string { return "test" }

var errSilent = &pay.Error{Kind: pay.ErrKindTemporary, Doing: "calling the test provider"}

// Create opens a payment, once for each key.
func (p *Provider) Create(_ context.Context, req pay.CreateRequest) (pay.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return pay.Payment{}, errSilent
	}
	id, known := p.keys[req.Key]
	if !known {
		id = fmt.Sprintf("tr_%d", len(p.payments)+1)
		p.keys[req.Key] = id
		p.payments[id] = pay.Payment{
			ID: id, Status: pay.StatusOpen, Amount: req.Amount, CheckoutURL: "https://pay.example/" + id, QR: "data:image/png;base64,",
			Cancelable: true, CreatedAt: p.world.Now(), ExpiresAt: p.world.Now().Add(time.Hour),
		}
	}
	if p.lose {
		return pay.Payment{}, errSilent
	}
	return p.payments[id], nil
}

// Fetch reads a payment.
func (p *Provider) Fetch(_ context.Context, id string) (pay.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, known := p.payments[id]
	switch {
	case p.silent:
		return one, errSilent
	case !known:
		return one, &pay.Error{Kind: pay.ErrKindNotFound, Doing: "reading " + id}
	case one.Status == pay.StatusOpen && p.world.Now().After(one.ExpiresAt):
		one.Status = pay.StatusExpired
		p.payments[id] = one
	}
	return one, nil
}

// Cancel closes a payment that is not paid.
func (p *Provider) Cancel(_ context.Context, id string) (pay.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.payments[id]
	if p.silent {
		return one, errSilent
	}
	if one.Status.Final() {
		return one, &pay.Error{Kind: pay.ErrKindRefused, Doing: "cancelling " + id}
	}
	one.Status = pay.StatusCanceled
	p.payments[id] = one
	return one, nil
}

// Methods lists Bancontact and cards.
func (p *Provider) Methods(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return nil, errSilent
	}
	return []string{pay.MethodBancontact, pay.MethodCard}, nil
}

// SetRefund brings a refund to a status, as the provider or the payer's bank would. One that fails or is canceled
// gives its amount back to what may be refunded.
func (p *Provider) SetRefund(id string, status pay.RefundStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.refunds {
		r := &p.refunds[i]
		if r.ID != id {
			continue
		}
		one := p.payments[r.PaymentID]
		if r.Status.Counts() && !status.Counts() {
			one.Refunded -= r.Amount
		}
		r.Status, p.payments[r.PaymentID] = status, one
	}
}

// Refund gives money of a paid payment back, once for each key; the refund is pending until SetRefund moves it.
func (p *Provider) Refund(_ context.Context, req pay.RefundRequest) (pay.Refund, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return pay.Refund{}, errSilent
	}
	id, known := p.keys[req.Key]
	if !known {
		one, exists := p.payments[req.PaymentID]
		switch {
		case !exists:
			return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: "refunding " + req.PaymentID}
		case one.Status != pay.StatusPaid || req.Amount <= 0 || req.Amount > one.Amount-one.Refunded-one.ChargedBack:
			return pay.Refund{}, &pay.Error{Kind: pay.ErrKindRefused, Doing: "refunding " + req.PaymentID}
		}
		id = fmt.Sprintf("re_%d", len(p.refunds)+1)
		p.keys[req.Key] = id
		p.refunds = append(p.refunds, pay.Refund{
			ID: id, PaymentID: req.PaymentID, Status: pay.RefundPending, Amount: req.Amount, Description: req.Description,
			CreatedAt: p.world.Now(), Metadata: req.Metadata,
		})
		one.Refunded += req.Amount
		p.payments[req.PaymentID] = one
	}
	if p.lose {
		return pay.Refund{}, errSilent
	}
	return p.refund(req.PaymentID, id)
}

// FetchRefund reads a refund.
func (p *Provider) FetchRefund(_ context.Context, paymentID, refundID string) (pay.Refund, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return pay.Refund{}, errSilent
	}
	return p.refund(paymentID, refundID)
}

func (p *Provider) refund(paymentID, id string) (pay.Refund, error) {
	for _, r := range p.refunds {
		if r.ID == id && r.PaymentID == paymentID {
			return r, nil
		}
	}
	return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: "reading " + id}
}

// Refunds lists the refunds of a payment.
func (p *Provider) Refunds(_ context.Context, paymentID string) ([]pay.Refund, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return nil, errSilent
	}
	var list []pay.Refund
	for _, r := range p.refunds {
		if r.PaymentID == paymentID {
			list = append(list, r)
		}
	}
	return list, nil
}
