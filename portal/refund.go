package portal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay/transfer"
)

const refundPath = "/mon-espace/remboursements/"

// refundCard is money that goes back to the guardian, in words.
type refundCard struct {
	ID             uuid.UUID
	RegistrationID uuid.UUID
	Child          string
	Camp           string
	Cents          civil.Cents
	Way            string
	State          string
	IBAN           string
	CreatedAt      time.Time
	DoneAt         *time.Time

	Label  string // « à choisir »
	Kind   string // of the tag
	Text   string // how it goes back and where it stands
	Choose bool   // the guardian has to choose
}

// URL is the page of the choice.
func (c refundCard) URL() string { return refundPath + c.ID.String() }

// myRefunds returns what goes or went back to a guardian, newest first, of all registrations or of one. Nobody sees
// another guardian's.
func (s *server) myRefunds(ctx context.Context, l *locale.Locale, g parent, only *uuid.UUID) ([]refundCard, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT f.id, f.registration_id, k.first_name AS child, c.name AS camp, f.cents, f.way, f.state, f.iban, f.created_at, f.done_at
		FROM refund f
		JOIN registration r ON r.id = f.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		WHERE f.payer_id = @payer
		  AND f.state <> 'dropped'
		  AND (@only::uuid IS NULL OR f.registration_id = @only)
		  AND NOT `+blockedRegistration+`
		ORDER BY f.created_at DESC, f.id
		LIMIT 100`,
		pgx.NamedArgs{"payer": g.guardian.ID, "only": only, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the refunds of guardian %s: %w", g.guardian.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[refundCard])
	if err != nil {
		return nil, fmt.Errorf("reading the refunds of guardian %s: %w", g.guardian.ID, err)
	}
	for i := range list {
		list[i].say(l)
	}
	return list, nil
}

// myChoices returns the refunds that wait for the guardian's choice.
func (s *server) myChoices(ctx context.Context, l *locale.Locale, g parent) ([]refundCard, error) {
	list, err := s.myRefunds(ctx, l, g, nil)
	return slices.DeleteFunc(list, func(c refundCard) bool { return !c.Choose }), err
}

// refundTags are the kinds of tag of the states.
var refundTags = map[string]string{
	ledger.RefundToChoose: "wait", ledger.RefundToConfirm: "info", ledger.RefundDecided: "info", ledger.RefundSent: "info",
	ledger.RefundDone: "ok", ledger.RefundFailed: "stop",
}

// say puts a refund into words.
func (c *refundCard) say(l *locale.Locale) {
	c.Kind, c.Label, c.Choose = refundTags[c.State], l.T("money.refund."+c.State), c.State == ledger.RefundToChoose
	key := "money.refund.text." + c.State
	if l.Has(key + "." + c.Way) {
		key += "." + c.Way
	}
	day := ""
	if c.DoneAt != nil {
		day = l.Day(civil.DateOf(*c.DoneAt, civil.Brussels))
	}
	c.Text = l.T(key, transfer.Masked(c.IBAN), day)
}
