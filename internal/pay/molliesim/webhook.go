package molliesim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// waits are Mollie's minutes before each attempt: ten in 26 hours.
var waits = []int{0, 1, 2, 4, 8, 16, 29, 60, 120, 22 * 60}

// atOnce bounds how many webhooks are under way at the same time.
const atOnce = 32

// enqueue queues the webhook of a payment that has just changed, unless the script makes trouble. What says what
// changed, for the overview: Mollie sends the payment's id alone.
func (s *Server) enqueue(ctx context.Context, tx pgx.Tx, e Entry, what string) error {
	if e.WebhookURL == "" {
		return nil
	}
	next, outcome, copies := new(time.Time), "", 1
	*next = s.opts.Clock().UTC()
	if _, lost, err := take(ctx, tx, TroubleWebhookLost); err != nil {
		return err
	} else if lost {
		next, outcome = nil, "perdu selon le scénario"
	} else if late, ok, err := take(ctx, tx, TroubleWebhookLate); err != nil {
		return err
	} else if ok {
		*next = next.Add(late.Delay)
	}
	if next != nil {
		if _, double, err := take(ctx, tx, TroubleWebhookDuplicate); err != nil {
			return err
		} else if double {
			copies = 2
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO webhook (payment_id, says, status, next_at, outcome)
		SELECT @payment, @payment, @status, @next, @outcome
		FROM generate_series(1, @copies::int)`,
		pgx.NamedArgs{"payment": e.ID, "status": what, "next": next, "outcome": outcome, "copies": copies})
	return err
}

// forge queues what a stranger might send: the id of a payment that does not exist, and that of one still open, as if
// it were paid.
func (s *Server) forge(ctx context.Context, tx pgx.Tx, e Entry) error {
	if e.WebhookURL == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO webhook (payment_id, says, status, next_at)
		SELECT @payment, said, 'forged', @now
		FROM unnest(@says::text[]) AS said`,
		pgx.NamedArgs{"payment": e.ID, "says": []string{newID("tr_"), e.ID}, "now": s.opts.Clock().UTC()})
	return err
}

// signal tells Run that there may be something to send.
func (s *Server) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run lets time do its work and sends webhooks until ctx ends.
func (s *Server) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.Step(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "payment simulator: webhooks", "error", err)
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
	Says      string `db:"says"`
	Attempt   int    `db:"attempt"`
	URL       string `db:"url"`
}

// Step does what time does and sends every webhook that is due, each once, at the same moment. It
// returns how many were sent when all are answered.
func (s *Server) Step(ctx context.Context) (int, error) {
	if err := s.tick(ctx); err != nil {
		return 0, err
	}
	now := s.opts.Clock().UTC()
	// Claimed for a minute: what a killed process had claimed is sent again then.
	rows, err := s.pool.Query(ctx, `
		UPDATE webhook w
		SET attempt = w.attempt + 1, next_at = @lease
		FROM payment p
		WHERE p.id = w.payment_id AND w.id IN (
			SELECT id
			FROM webhook
			WHERE next_at <= @now
			ORDER BY next_at, id
			LIMIT @most
			FOR UPDATE SKIP LOCKED)
		RETURNING w.id, w.payment_id, w.says, w.attempt, p.webhook_url AS url`,
		pgx.NamedArgs{"now": now, "lease": now.Add(time.Minute), "most": atOnce})
	if err != nil {
		return 0, fmt.Errorf("claiming webhooks: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByName[delivery])
	if err != nil {
		return 0, fmt.Errorf("claiming webhooks: %w", err)
	}
	var wait sync.WaitGroup
	for _, d := range due {
		wait.Go(func() {
			if err := s.settle(ctx, d, s.send(ctx, d)); err != nil && ctx.Err() == nil {
				s.opts.Log.ErrorContext(ctx, "payment simulator: webhook", "payment", d.PaymentID, "error", err)
			}
		})
	}
	wait.Wait()
	if len(due) == atOnce {
		s.signal()
	}
	return len(due), nil
}

// send does one attempt and returns what came of it in words for the overview, "" when the shop answered 2xx.
func (s *Server) send(ctx context.Context, d delivery) string {
	form := url.Values{"id": {d.Says}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, strings.NewReader(form))
	if err != nil {
		return "adresse inutilisable"
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Mollie (simulator)")
	resp, err := s.hook.Do(req)
	if err != nil {
		return "sans réponse"
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Sprintf("réponse %d", resp.StatusCode)
	}
	return ""
}

// settle notes an attempt and plans the next.
func (s *Server) settle(ctx context.Context, d delivery, outcome string) error {
	var next *time.Time
	switch {
	case outcome == "":
		outcome = "reçu"
	case d.Attempt < len(waits):
		at := s.opts.Clock().UTC().Add(time.Duration(waits[d.Attempt]) * s.opts.Minute)
		next = &at
	default:
		outcome += ", abandonné"
	}
	_, err := s.pool.Exec(ctx, `
		UPDATE webhook
		SET next_at = @next, outcome = @outcome
		WHERE id = @id`, pgx.NamedArgs{"id": d.ID, "next": next, "outcome": outcome})
	return err
}
