package molliesim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// keyKept is how long an idempotency key is remembered.
const keyKept = time.Hour

// result is an answer that can be replayed.
type result struct {
	status   int
	body     []byte
	replayed bool
	early    func() bool // reports that webhooks leave before the answer; nil in a replay
	cut      bool        // no answer at all
}

// maker does what a POST asks for and returns the answer.
type maker func(ctx context.Context, tx pgx.Tx, r *http.Request, raw []byte) (result, error)

func (s *Server) paymentCreate(w http.ResponseWriter, r *http.Request) {
	s.make(w, r, TroubleCreateError, s.create)
}

func (s *Server) refundCreate(w http.ResponseWriter, r *http.Request) {
	s.make(w, r, TroubleRefundError, s.refund)
}

// make answers a POST: once for each Idempotency-Key, unless the script says that it fails.
func (s *Server) make(w http.ResponseWriter, r *http.Request, fails TroubleKind, do maker) {
	ctx := r.Context()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "The body is too long", "")
		return
	}
	if _, ok, err := take(ctx, s.pool, fails); err != nil {
		s.broken(w, r, err)
		return
	} else if ok {
		fail(w, http.StatusInternalServerError, "Trouble by script", "")
		return
	}
	if err := s.tick(ctx); err != nil {
		s.broken(w, r, err)
		return
	}
	var res result
	// What is made is kept even if the caller has hung up.
	err = pgx.BeginFunc(context.WithoutCancel(ctx), s.pool, func(tx pgx.Tx) error {
		var err error
		res, err = s.once(context.WithoutCancel(ctx), tx, r, raw, do)
		return err
	})
	var no *wrong
	switch {
	case errors.As(err, &no):
		fail(w, no.status, no.detail, no.field)
		return
	case err != nil:
		s.broken(w, r, err)
		return
	}
	if res.early != nil && res.early() {
		if _, err := s.Step(ctx); err != nil {
			s.broken(w, r, err)
			return
		}
	}
	s.signal()
	if res.cut {
		panic(http.ErrAbortHandler)
	}
	if res.replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	writeJSON(w, res.status, res.body)
}

// once does what is asked, or replays the answer given under the same Idempotency-Key within the hour.
func (s *Server) once(ctx context.Context, tx pgx.Tx, r *http.Request, raw []byte, do maker) (result, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return do(ctx, tx, r, raw)
	}
	var free bool
	err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext(@key))`, pgx.NamedArgs{"key": key}).Scan(&free)
	if err != nil {
		return result{}, err
	}
	if !free {
		return result{}, &wrong{http.StatusConflict, "A request with this idempotency key is being worked on", ""}
	}
	now := s.opts.Clock().UTC()
	if _, err := tx.Exec(ctx, `DELETE FROM idempotency WHERE created_at <= @old`,
		pgx.NamedArgs{"old": now.Add(-keyKept)}); err != nil {
		return result{}, err
	}
	hash := sha256.Sum256([]byte(r.Method + " " + r.URL.String() + "\n" + string(raw)))
	var before []byte
	var res result
	err = tx.QueryRow(ctx, `SELECT request, status, body FROM idempotency WHERE key = @key`,
		pgx.NamedArgs{"key": key}).Scan(&before, &res.status, &res.body)
	switch {
	case err == nil && !bytes.Equal(before, hash[:]):
		return result{}, &wrong{http.StatusBadRequest, "This idempotency key was used with other parameters", ""}
	case err == nil:
		res.replayed = true
		return res, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return result{}, err
	}
	if res, err = do(ctx, tx, r, raw); err != nil {
		return result{}, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO idempotency (key, request, status, body, created_at)
		VALUES (@key, @request, @status, @body, @now)`,
		pgx.NamedArgs{"key": key, "request": hash[:], "status": res.status, "body": res.body, "now": now})
	return res, err
}
