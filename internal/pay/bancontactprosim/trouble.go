package bancontactprosim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// TroubleKind names what goes wrong.
type TroubleKind string

// The troubles. Each happens to the next calls, payments or callbacks it fits, as many times as asked.
const (
	// TroubleCallbackLost never sends a callback.
	TroubleCallbackLost TroubleKind = "callback_lost"
	// TroubleCallbackDuplicate sends a callback twice, at the same moment, word for word.
	TroubleCallbackDuplicate TroubleKind = "callback_duplicate"
	// TroubleCallbackLate holds a callback for Delay, so that a later one overtakes it.
	TroubleCallbackLate TroubleKind = "callback_late"
	// TroubleCallbackForged sends, beside a new payment, that it has succeeded, with a signature that does not fit.
	TroubleCallbackForged TroubleKind = "callback_forged"
	// TroubleCallbackOtherPath signs a callback for another address, as one stolen from another shop.
	TroubleCallbackOtherPath TroubleKind = "callback_other_path"
	// TroubleCallbackStale signs a callback Delay ago, two days at least.
	TroubleCallbackStale TroubleKind = "callback_stale"
	// TroubleKeyRotated signs the next callback with a key published just before.
	TroubleKeyRotated TroubleKind = "key_rotated"
	// TroubleKeysError answers 500 to whoever asks for the keys.
	TroubleKeysError TroubleKind = "keys_error"
	// TroubleCreateError answers 500 to a creation and creates nothing.
	TroubleCreateError TroubleKind = "create_error"
	// TroubleCreateCut creates the payment and cuts the connection instead of answering.
	TroubleCreateCut TroubleKind = "create_cut"
	// TroubleCreatePaid creates the payment paid, and its callback arrives before the answer.
	TroubleCreatePaid TroubleKind = "create_paid"
	// TroubleReadError answers 500 to a read or a search.
	TroubleReadError TroubleKind = "read_error"
	// TroubleCancelError answers 500 to a cancel and cancels nothing.
	TroubleCancelError TroubleKind = "cancel_error"
	// TroubleOtherAmount makes the payer pay Cents instead of the amount asked.
	TroubleOtherAmount TroubleKind = "other_amount"
	// TroubleRefundError answers 500 to a refund and refunds nothing.
	TroubleRefundError TroubleKind = "refund_error"
	// TroubleRefundCut makes the refund and cuts the connection instead of answering.
	TroubleRefundCut TroubleKind = "refund_cut"
	// TroubleRefundPoor refuses a refund because the payout under way holds too little.
	TroubleRefundPoor TroubleKind = "refund_poor"
	// TroubleRefundFails lets a refund end as failed.
	TroubleRefundFails TroubleKind = "refund_fails"
)

// Troubles are all the kinds.
var Troubles = []TroubleKind{
	TroubleCallbackLost, TroubleCallbackDuplicate, TroubleCallbackLate, TroubleCallbackForged, TroubleCallbackOtherPath,
	TroubleCallbackStale, TroubleKeyRotated, TroubleKeysError, TroubleCreateError, TroubleCreateCut, TroubleCreatePaid,
	TroubleReadError, TroubleCancelError, TroubleOtherAmount, TroubleRefundError, TroubleRefundCut, TroubleRefundPoor,
	TroubleRefundFails,
}

// Trouble is one line of the script.
type Trouble struct {
	Kind  TroubleKind
	Times int           // how often; zero is once
	Delay time.Duration // for TroubleCallbackLate and TroubleCallbackStale
	Cents civil.Cents   // for TroubleOtherAmount
}

// Script adds trouble to come. It is kept in the database and survives a kill.
func (s *Server) Script(ctx context.Context, t Trouble) error {
	if !slices.Contains(Troubles, t.Kind) {
		return fmt.Errorf("unknown trouble %q", t.Kind)
	}
	_, err := s.pool.Exec(ctx, `
		INSERT INTO trouble (kind, remaining, delay_ms, cents)
		VALUES (@kind, @times, @delay, @cents)`,
		pgx.NamedArgs{"kind": t.Kind, "times": max(t.Times, 1), "delay": t.Delay.Milliseconds(), "cents": t.Cents})
	return err
}

// ClearScript takes back what has not happened yet.
func (s *Server) ClearScript(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM trouble`)
	return err
}

// take uses up one trouble of a kind, if there is any.
func take(ctx context.Context, q querier, kind TroubleKind) (Trouble, bool, error) {
	rows, err := q.Query(ctx, `
		UPDATE trouble
		SET remaining = remaining - 1
		WHERE id = (
			SELECT id
			FROM trouble
			WHERE kind = @kind AND remaining > 0
			ORDER BY id
			LIMIT 1
			FOR UPDATE)
		RETURNING delay_ms, cents`, pgx.NamedArgs{"kind": kind})
	if err != nil {
		return Trouble{}, false, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Trouble, error) {
		var ms int64
		t := Trouble{Kind: kind}
		err := row.Scan(&ms, &t.Cents)
		t.Delay = time.Duration(ms) * time.Millisecond
		return t, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Trouble{}, false, nil
	}
	return t, err == nil, err
}

// troubleAdd takes {"kind":"callback_late","times":1,"delayMs":2000,"cents":0}.
func (s *Server) troubleAdd(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Kind    TroubleKind `json:"kind"`
		Times   int         `json:"times"`
		DelayMs int64       `json:"delayMs"`
		Cents   civil.Cents `json:"cents"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, "FIELD_IS_INVALID", "The body is no JSON")
		return
	}
	t := Trouble{Kind: in.Kind, Times: in.Times, Delay: time.Duration(in.DelayMs) * time.Millisecond, Cents: in.Cents}
	if err := s.Script(r.Context(), t); err != nil {
		fail(w, http.StatusUnprocessableEntity, "FIELD_IS_INVALID", err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) troubleClear(w http.ResponseWriter, r *http.Request) {
	if err := s.ClearScript(r.Context()); err != nil {
		s.broken(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
