package bancontactprosim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
)

// waits are minutes before each attempt. Bancontact says "up to 24 hours" without the steps.
var waits = []int{0, 1, 5, 15, 30, 60, 120, 240, 480, 489}

// repeated are the answers after which Bancontact comes again; any other refusal is final.
var repeated = []int{429, 500, 503, 504, 509}

// atOnce bounds how many callbacks are under way at the same time.
const atOnce = 32

// enqueue signs and queues the callback of a payment that has just changed, unless the script makes trouble.
func (s *Server) enqueue(ctx context.Context, tx pgx.Tx, e Entry) error {
	if e.CallbackURL == "" {
		return nil
	}
	now := s.opts.Clock().UTC()
	c := queued{Entry: e, next: &now, signedAt: now, copies: 1}
	for kind, change := range map[TroubleKind]func(Trouble){
		TroubleCallbackStale:     func(t Trouble) { c.signedAt = now.Add(-max(t.Delay, 48*time.Hour)) },
		TroubleCallbackOtherPath: func(Trouble) { c.path = "https://elsewhere.example/callback" },
		TroubleCallbackDuplicate: func(Trouble) { c.copies = 2 },
		TroubleCallbackLate:      func(t Trouble) { at := now.Add(t.Delay); c.next = &at },
		TroubleCallbackLost:      func(Trouble) { c.next, c.outcome = nil, "perdu selon le scénario" },
	} {
		t, ok, err := take(ctx, tx, kind)
		if err != nil {
			return err
		}
		if ok {
			change(t)
		}
	}
	if _, rotate, err := take(ctx, tx, TroubleKeyRotated); err != nil {
		return err
	} else if rotate {
		if err := addKey(ctx, tx); err != nil {
			return err
		}
	}
	keys, err := signingKeys(ctx, tx)
	if err != nil {
		return err
	}
	return s.queue(ctx, tx, keys[0], c)
}

// queued is a callback to sign and queue.
type queued struct {
	Entry
	path     string // signed for, "" is where it is sent
	signedAt time.Time
	next     *time.Time // nil: never sent
	outcome  string
	copies   int
}

func (s *Server) queue(ctx context.Context, tx pgx.Tx, key jose.JSONWebKey, c queued) error {
	answer := s.answer(c.Entry, false)
	delete(answer, "creditor")
	delete(answer, "_links")
	if answer["debtor"] == nil {
		answer["debtor"] = object{"iban": ""}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if c.path == "" {
		c.path = c.CallbackURL
	}
	signature, err := s.sign(key, c.path, body, c.signedAt)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO callback (payment_id, says, url, body, signature, next_at, outcome)
		SELECT @payment, @says, @url, @body, @signature, @next, @outcome
		FROM generate_series(1, @copies::int)`,
		pgx.NamedArgs{
			"payment": c.ID, "says": c.Status, "url": c.CallbackURL, "body": body, "signature": signature, "next": c.next,
			"outcome": c.outcome, "copies": c.copies,
		})
	return err
}

// forge queues what a stranger might send beside a new payment: that it has succeeded, signed under the kid of a
// published key by a key that is not.
func (s *Server) forge(ctx context.Context, tx pgx.Tx, e Entry) error {
	if e.CallbackURL == "" {
		return nil
	}
	keys, err := signingKeys(ctx, tx)
	if err != nil {
		return err
	}
	strange, err := newKey()
	if err != nil {
		return err
	}
	strange.KeyID = keys[0].KeyID
	now := s.opts.Clock().UTC()
	e.Status, e.SucceededAt = "SUCCEEDED", &now
	return s.queue(ctx, tx, strange, queued{Entry: e, next: &now, signedAt: now, copies: 1})
}

// signal tells Run that there may be something to send.
func (s *Server) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run lets time do its work and sends callbacks until ctx ends.
func (s *Server) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.Step(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "payment simulator: callbacks", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-time.After(500 * time.Millisecond):
		}
	}
}

type delivery struct {
	ID        int64  `db:"id"`
	PaymentID string `db:"payment_id"`
	URL       string `db:"url"`
	Body      []byte `db:"body"`
	Signature string `db:"signature"`
	Attempt   int    `db:"attempt"`
}

// Step does what time does and sends every callback that is due, each once, at the same moment. It returns how many
// were sent when all are answered.
func (s *Server) Step(ctx context.Context) (int, error) {
	if err := s.tick(ctx); err != nil {
		return 0, err
	}
	now := s.opts.Clock().UTC()
	// Claimed for a minute: what a killed process had claimed is sent again then.
	rows, err := s.pool.Query(ctx, `
		UPDATE callback
		SET attempt = attempt + 1, next_at = @lease
		WHERE id IN (
			SELECT id
			FROM callback
			WHERE next_at <= @now
			ORDER BY next_at, id
			LIMIT @most
			FOR UPDATE SKIP LOCKED)
		RETURNING id, payment_id, url, body, signature, attempt`,
		pgx.NamedArgs{"now": now, "lease": now.Add(time.Minute), "most": atOnce})
	if err != nil {
		return 0, fmt.Errorf("claiming callbacks: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByName[delivery])
	if err != nil {
		return 0, fmt.Errorf("claiming callbacks: %w", err)
	}
	var wait sync.WaitGroup
	for _, d := range due {
		wait.Go(func() {
			if err := s.settle(ctx, d, s.send(ctx, d)); err != nil && ctx.Err() == nil {
				s.opts.Log.ErrorContext(ctx, "payment simulator: callback", "payment", d.PaymentID, "error", err)
			}
		})
	}
	wait.Wait()
	if len(due) == atOnce {
		s.signal()
	}
	return len(due), nil
}

// send does one attempt and returns the HTTP status, 0 without an answer.
func (s *Server) send(ctx context.Context, d delivery) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Bancontact Payments/v3 (simulator)")
	req.Header.Set("Signature", d.Signature)
	resp, err := s.hook.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// settle notes an attempt and plans the next.
func (s *Server) settle(ctx context.Context, d delivery, status int) error {
	outcome, next := fmt.Sprintf("réponse %d", status), (*time.Time)(nil)
	again := slices.Contains(repeated, status)
	switch status {
	case http.StatusOK:
		outcome = "reçu"
	case 0:
		outcome, again = "sans réponse", true
	}
	if again && d.Attempt < len(waits) {
		at := s.opts.Clock().UTC().Add(time.Duration(waits[d.Attempt]) * s.opts.Minute)
		next = &at
	} else if status != http.StatusOK {
		outcome += ", abandonné"
	}
	_, err := s.pool.Exec(ctx, `
		UPDATE callback
		SET next_at = @next, outcome = @outcome
		WHERE id = @id`, pgx.NamedArgs{"id": d.ID, "next": next, "outcome": outcome})
	return err
}
