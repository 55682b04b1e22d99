package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// Who sees to what of the money. What an organisation promised is confidential like what is accorded (maySocial).
var (
	mayRefund  = office("finance", "administrator")
	mayShare   = office("agent", "finance", "administrator")
	mayPayers  = office("agent", "finance", "administrator", "social")
	mayEndCamp = office("finance", "organiser", "administrator")
)

const (
	registrationPath = "/gestion/inscriptions/"
	staffRefundPath  = "/gestion/remboursements"
	duePart          = "{due:" + uuidPattern + "}"
)

// staffMoneyRoutes are the pages of what families owe, pay and get back.
func (s *server) staffMoneyRoutes() []route {
	const (
		registration = registrationPath + idPart
		refund       = staffRefundPath + "/" + idPart
		camp         = "/gestion/stages/" + idPart + "/annuler"
	)
	return []route{
		{get, registration + "/payeurs", mayPayers, s.staffPayers},
		{post, registration + "/payeurs/partage", mayShare, s.staffShareAdd},
		{post, registration + "/payeurs/prise-en-charge", maySocial, s.staffCoverAdd},
		{post, registration + "/payeurs/" + duePart + "/fin", mayPayers, s.staffPartEnd},
		{get, registration + "/echeances/" + duePart, mayShare, s.staffPlan},
		{post, registration + "/echeances/" + duePart, mayShare, s.staffPlanSave},
		{get, registration + "/abandon/" + duePart, mayRefund, s.staffWriteOff},
		{post, registration + "/abandon/" + duePart, mayRefund, s.staffWriteOffDo},
		{get, registration + "/garder", mayDecide, s.staffKeepForm},
		{post, registration + "/garder", mayDecide, s.staffKeep},
		{post, registration + "/redonner", mayDecide, s.staffRegive},
		{get, registration + "/rembourser", mayRefund, s.staffRefundForm},
		{post, registration + "/rembourser", mayRefund, s.staffRefundDo},
		{get, staffRefundPath, mayShare, s.staffRefunds},
		{get, refund, mayShare, s.staffRefundShow},
		{post, refund + "/accord", mayRefund, s.staffRefundConfirm},
		{post, refund + "/retirer", mayRefund, s.staffRefundDrop},
		{post, refund + "/relancer", mayRefund, s.staffRefundRetry},
		{post, refund + "/verser", mayCash, s.staffRefundPayOut},
		{post, refund + "/choix", mayRefund, s.staffRefundChoose},
		{get, camp, mayEndCamp, s.staffCampEnd},
		{post, camp, mayEndCamp, s.staffCampEndDo},
		{get, camp + "/{batch:" + uuidPattern + "}", mayEndCamp, s.staffCampEnded},
	}
}

// staffMoney is what one payer owes for a registration and what was paid of it.
type staffMoney struct {
	ledger.Due
	DueID         uuid.UUID
	Communication string // as it is printed
	Payer         string // "" when the one who asks may not know
	Part          string // of the price, as it was agreed; "" for who takes the rest
	Lines         []staffMoneyLine
	Balance       ledger.Balance
	Plan          []ledger.Instalment
	Cover         *enrol.Cover // of an organisation, for who may see
	Papers        []staffPaper
}

// staffPaper is an invoice or a credit note.
type staffPaper struct {
	ID     uuid.UUID
	Number string
	Credit bool
}

// Hidden reports whether who asks may only know the amounts.
func (m *staffMoney) Hidden() bool { return m.Payer == "" }

// Ended reports whether the payer takes no part any more.
func (m *staffMoney) Ended() bool { return m.EndedAt != nil }

type staffMoneyLine struct {
	Kind       ledger.Kind
	Cents      civil.Cents
	Label      string
	Args       []string `db:"-"`
	Regulation string
	Source     string
	At         time.Time
}

// Signed is the amount as it counts for the family: what lowers the debt is negative.
func (m staffMoneyLine) Signed() civil.Cents {
	switch m.Kind {
	case ledger.Reduction, ledger.WriteOff, ledger.Payment:
		return -m.Cents
	}
	return m.Cents
}

// fillMoney reads what every payer owes and what goes back, as the one who asks may know it.
func (s *server) fillMoney(r *http.Request, p *staffRegistrationPage) error {
	var err error
	if p.Dues, err = s.staffDues(r, p.L, p.Registration); err != nil {
		return err
	}
	for _, m := range p.Dues {
		p.Total = p.Total.Plus(m.Balance)
		if m.Hidden() || m.Ended() && m.Balance.Owed() <= 0 {
			continue
		}
		p.Payable = append(p.Payable, choice{Value: m.DueID.String(), Text: p.L.T("smoney.due_of", m.Payer, p.L.Euros(m.Balance.Owed()))})
	}
	if len(p.Dues) > 0 {
		p.Money = p.Dues[0]
		p.Form.Set("due", p.Money.DueID.String())
		if owed := p.Money.Balance.Owed(); owed > 0 {
			p.Form.Set("amount", typedEuros(owed)).Set("source", "bank")
		}
	}
	s.keepPrivate(r, p)
	p.Refunds, err = s.refundsOf(r, p.L, p.Registration.ID)
	return err
}

// staffDues returns the dues of a registration, the first one first; none before anything is due.
func (s *server) staffDues(r *http.Request, l *locale.Locale, reg enrol.Registration) ([]*staffMoney, error) {
	ctx, social := r.Context(), s.can(r, maySocial)
	dues, err := ledger.DuesOf(ctx, s.DB, reg.ID)
	if err != nil || len(dues) == 0 {
		return nil, err
	}
	balances, err := ledger.BalancesOf(ctx, s.DB, reg.ID, s.today())
	if err != nil {
		return nil, err
	}
	covers := map[uuid.UUID]*enrol.Cover{}
	if social {
		all, err := s.Enrol.CoversOf(ctx, reg.ID)
		if err != nil {
			return nil, err
		}
		for i := range all {
			covers[all[i].ID] = &all[i]
		}
	}
	var list []*staffMoney
	for _, d := range dues {
		m := &staffMoney{Due: d, DueID: d.ID, Balance: balances[d.ID], Part: partText(l, d), Cover: covers[d.ID]}
		if d.Kind == ledger.DueCover && !social {
			list = append(list, m)
			continue
		}
		m.Communication = transfer.Communication(d.Communication).String()
		if err := s.fillDue(ctx, m, reg.PriceDetail); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// partText writes what of a price was agreed: « 50 % » or « 30,00 € ».
func partText(l *locale.Locale, d ledger.Due) string {
	switch {
	case d.PartCents != nil:
		return l.Euros(*d.PartCents)
	case d.PartShare != nil:
		return l.T("smoney.percent", sharePercent(*d.PartShare))
	}
	return ""
}

// sharePercent writes hundredths of a percent as people do: 3350 is « 33,5 ».
func sharePercent(share int) string {
	return strings.Replace(strconv.FormatFloat(float64(share)/100, 'f', -1, 64), ".", ",", 1)
}

// fillDue reads the payer, the lines, the plan and the newest invoice of a due.
func (s *server) fillDue(ctx context.Context, m *staffMoney, price []enrol.PriceLine) error {
	err := s.DB.QueryRow(ctx, `
		SELECT btrim(g.first_name || ' ' || g.last_name)
		FROM guardian g
		WHERE g.id = @payer`,
		pgx.NamedArgs{"payer": m.PayerID}).Scan(&m.Payer)
	if err != nil {
		return fmt.Errorf("reading the payer of due %s: %w", m.DueID, err)
	}
	rows, err := s.DB.Query(ctx, `
		SELECT kind, cents, label, regulation, source, at
		FROM ledger_line
		WHERE due_id = @due
		ORDER BY at, array_position(ARRAY['charge', 'reduction', 'fee', 'write_off', 'payment', 'refund'], kind), id`,
		pgx.NamedArgs{"due": m.DueID})
	if err != nil {
		return fmt.Errorf("reading the lines of due %s: %w", m.DueID, err)
	}
	if m.Lines, err = pgx.CollectRows(rows, pgx.RowToStructByName[staffMoneyLine]); err != nil {
		return fmt.Errorf("reading the lines of due %s: %w", m.DueID, err)
	}
	if m.First() {
		m.fill(price)
	}
	if m.Plan, err = ledger.InstalmentsOf(ctx, s.DB, m.DueID); err != nil {
		return err
	}
	rows, err = s.DB.Query(ctx, `
		SELECT i.id, i.content->>'Number' AS number, false AS credit, i.year AS paper_year, i.number AS paper_number
		FROM invoice_split x
		JOIN invoice i ON i.id = x.invoice_id
		WHERE x.due_id = @due
		UNION ALL
		SELECT id, content->>'Number', true, year, number FROM credit_note WHERE due_id = @due
		ORDER BY credit, paper_year, paper_number`,
		pgx.NamedArgs{"due": m.DueID})
	if err != nil {
		return fmt.Errorf("reading the papers of due %s: %w", m.DueID, err)
	}
	m.Papers, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p staffPaper, err error) {
		var year, number int
		return p, row.Scan(&p.ID, &p.Number, &p.Credit, &year, &number)
	})
	if err != nil {
		return fmt.Errorf("reading the papers of due %s: %w", m.DueID, err)
	}
	return nil
}

// fill gives each charge the words of the price that it comes from: the ledger keeps only what they say. A registration
// that left and came back is charged the same price again.
func (m *staffMoney) fill(price []enrol.PriceLine) {
	left := slices.Clone(price)
	for i := range m.Lines {
		line := &m.Lines[i]
		if line.Kind != ledger.Charge && line.Kind != ledger.Reduction {
			continue
		}
		same := func(p enrol.PriceLine) bool { return p.Label == line.Label && p.Cents == line.Signed() }
		if at := slices.IndexFunc(left, same); at >= 0 {
			line.Args = left[at].Args
			left = slices.Delete(left, at, at+1)
		} else if at := slices.IndexFunc(price, same); at >= 0 {
			line.Args = price[at].Args
		}
	}
}

// staffMoneyPage is the base of the pages about the money of one registration.
type staffMoneyPage struct {
	staffPage
	Row   queueRow
	Reg   enrol.Registration
	Dues  []*staffMoney
	Total ledger.Balance
	Form  *form.Form
	Key   uuid.UUID
}

// One returns the due that the address names; nil when it is none of this registration, or hidden.
func (p *staffMoneyPage) one(id uuid.UUID) *staffMoney {
	for _, m := range p.Dues {
		if m.DueID == id && !m.Hidden() {
			return m
		}
	}
	return nil
}

// moneyPage reads a registration with its dues; title is a message key that takes the child's name.
func (s *server) moneyPage(r *http.Request, title string) (*staffMoneyPage, error) {
	id, ctx := pathID(r), r.Context()
	base, _, err := s.staff(r, "", "/gestion/inscriptions")
	if err != nil {
		return nil, err
	}
	p := &staffMoneyPage{staffPage: base, Form: form.New(), Key: uuid.New()}
	rows, err := s.staffRows(ctx, p.L, `r.id = @id`, `r.id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, problem.NotFound("registration.not_found")
	}
	p.Row = rows[0]
	if p.Reg, err = s.Enrol.Registration(ctx, id); err != nil {
		return nil, err
	}
	if p.Dues, err = s.staffDues(r, p.L, p.Reg); err != nil {
		return nil, err
	}
	for _, m := range p.Dues {
		p.Total = p.Total.Plus(m.Balance)
	}
	p.Title = p.L.T(title, p.Row.Name())
	p.Back = &page.Link{URL: p.Row.URL(), Text: p.Row.Name()}
	return p, nil
}

// keep shows a refused form as it was typed, under the key that it came with.
func (p *staffMoneyPage) keep(f *form.Form) {
	p.Form = f
	if key, ok := f.UUID("key"); ok {
		p.Key = key
	}
}

// toMoney leads back to the money of a registration.
func (s *server) toMoney(w http.ResponseWriter, r *http.Request, flash string) error {
	s.flash(w, flash)
	return seeOther(w, r, registrationPath+pathID(r).String()+"#money")
}
