package portal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
)

// staffRefund is money that goes back, as the office lists it.
type staffRefund struct {
	ID             uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Child, Camp    string
	Payer          string // "" when the one who asks may not know
	Cents          civil.Cents
	Way, State     string
	IBAN           string
	Beneficiary    string
	OtherWay       string // why not by the way it came
	Proof          string
	Reason         string
	Regulation     string
	Failure        string
	DecidedBy      string // name of the account, "" for a job
	SecondBy       string
	Mine           bool   // who asks decided it
	Source         string // by which provider it goes back
	Cover          bool
	CreatedAt      time.Time
	DoneAt         *time.Time
}

// URL is the refund's page.
func (o staffRefund) URL() string { return staffRefundPath + "/" + o.ID.String() }

// UnderWay reports whether the money is still to go back.
func (o staffRefund) UnderWay() bool {
	return ledger.RefundOrder{State: o.State}.UnderWay()
}

// Tag is the colour of the state.
func (o staffRefund) Tag() string {
	switch o.State {
	case ledger.RefundDone:
		return "ok"
	case ledger.RefundFailed:
		return "stop"
	case ledger.RefundDropped:
		return ""
	case ledger.RefundSent, ledger.RefundDecided:
		return "info"
	}
	return "wait"
}

// Payable reports whether it waits to be handed over at the counter.
func (o staffRefund) Payable() bool {
	return o.State == ledger.RefundDecided && o.Way == ledger.ByCash
}

// Droppable reports whether it can be taken back: it has not left.
func (o staffRefund) Droppable() bool {
	return o.State == ledger.RefundToChoose || o.State == ledger.RefundToConfirm || o.State == ledger.RefundDecided
}

// grouped by four, an account number can be read.
func (o staffRefund) Account() string { return groups(o.IBAN) }

// readRefunds returns refunds with the names that the one who asks may know; viewer is the account that asks.
func (s *server) readRefunds(ctx context.Context, viewer uuid.UUID, social bool, where string, args pgx.NamedArgs) ([]staffRefund, error) {
	args["viewer"], args["social"] = "account:"+viewer.String(), social
	rows, err := s.DB.Query(ctx, `
		SELECT f.id, f.registration_id, f.payer_id, k.first_name || ' ' || k.last_name AS child, c.name AS camp,
		  CASE WHEN d.kind = 'family' OR @social THEN btrim(g.first_name || ' ' || g.last_name) ELSE '' END AS payer,
		  f.cents, f.way, f.state, f.iban, f.beneficiary, f.other_way, f.proof, f.reason, f.regulation, f.failure,
		  COALESCE(a.name, '') AS decided_by, COALESCE(b.name, '') AS second_by, f.decided_by = @viewer AS mine,
		  COALESCE(p.provider, '') AS source, d.kind = 'cover' AS cover, f.created_at, f.done_at
		FROM refund f
		JOIN due d ON d.id = f.due_id
		JOIN guardian g ON g.id = f.payer_id
		JOIN registration r ON r.id = f.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN payment p ON p.id = f.payment_id
		LEFT JOIN account a ON a.id = CASE WHEN f.decided_by LIKE 'account:%' THEN substr(f.decided_by, 9)::uuid END
		LEFT JOIN account b ON b.id = CASE WHEN f.second_by LIKE 'account:%' THEN substr(f.second_by, 9)::uuid END
		WHERE `+where+`
		LIMIT 200`, args)
	if err != nil {
		return nil, fmt.Errorf("reading the refunds: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[staffRefund])
	if err != nil {
		return nil, fmt.Errorf("reading the refunds: %w", err)
	}
	for i := range list {
		if list[i].Payer == "" { // neither who, nor by what it could be guessed
			list[i].IBAN, list[i].Beneficiary, list[i].OtherWay, list[i].Proof, list[i].Reason = "", "", "", "", ""
		}
	}
	return list, nil
}

// refundsOf returns the refunds of a registration, oldest first.
func (s *server) refundsOf(r *http.Request, _ *locale.Locale, id uuid.UUID) ([]staffRefund, error) {
	_, account := s.actorOf(r)
	return s.readRefunds(r.Context(), account, s.can(r, maySocial), `f.registration_id = @id ORDER BY f.created_at, f.id`, pgx.NamedArgs{"id": id})
}

// staffRefundsPage lists the money that is to go back.
type staffRefundsPage struct {
	staffPage
	Refunds []staffRefund
	State   string
	States  []string
	Total   civil.Cents
}

// staffRefunds lists what is under way, oldest first; ?etat= narrows it to a state, done and dropped ones too.
func (s *server) staffRefunds(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("smoney.refunds"), staffRefundPath)
	if err != nil {
		return err
	}
	p := &staffRefundsPage{staffPage: base, State: form.Query(r).Text("etat"), States: []string{
		ledger.RefundToConfirm, ledger.RefundFailed, ledger.RefundDecided, ledger.RefundToChoose, ledger.RefundSent, ledger.RefundDone,
	}}
	where := `f.state NOT IN ('done', 'dropped') ORDER BY f.created_at, f.id`
	if p.State != "" {
		where = `f.state = @state ORDER BY f.created_at DESC, f.id`
	}
	_, account := s.actorOf(r)
	if p.Refunds, err = s.readRefunds(r.Context(), account, s.can(r, maySocial), where, pgx.NamedArgs{"state": p.State}); err != nil {
		return err
	}
	for _, o := range p.Refunds {
		p.Total += o.Cents
	}
	return s.render(w, r, http.StatusOK, "staff/money/refunds", p)
}

// Way says by which way money goes back.
func (p staffPage) Way(way string) string { return p.L.T("smoney.way." + way) }

// RefundState says where a refund stands.
func (p staffPage) RefundState(state string) string { return p.L.T("smoney.refund_state." + state) }

// Failure says why money could not go back.
func (p staffPage) Failure(code string) string {
	return p.known("refund_failure.", strings.TrimPrefix(code, "refund."))
}
