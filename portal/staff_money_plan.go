package portal

import (
	"net/http"
	"strconv"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

const (
	planRows  = 12 // as many parts as a plan may have
	planShown = 4  // rows that are open at once, unless more are filled
)

// staffPlanPage is in how many parts one payer pays, and when.
type staffPlanPage struct {
	*staffMoneyPage
	M       *staffMoney
	Propose *form.Form
	Rows    []planRow
}

// planRow is a row of inputs.
type planRow struct {
	N    string // from 1
	Open bool
}

func (s *server) planPage(r *http.Request) (*staffPlanPage, error) {
	base, err := s.moneyPage(r, "smoney.plan_of")
	if err != nil {
		return nil, err
	}
	p := &staffPlanPage{staffMoneyPage: base, Propose: form.New(), M: base.one(dueID(r))}
	if p.M == nil {
		return nil, problem.NotFound("ledger.due_not_found")
	}
	return p, nil
}

// fill starts the inputs with a plan.
func (p *staffPlanPage) fill(plan []ledger.Instalment) {
	for i, v := range plan {
		n := strconv.Itoa(i + 1)
		p.Form.SetDate("on_"+n, v.DueOn).Set("cents_"+n, typedEuros(v.Cents))
	}
}

// lay decides which rows are open: those that are filled, and a few.
func (p *staffPlanPage) lay() {
	filled := 0
	for i := range planRows {
		if n := strconv.Itoa(i + 1); p.Form.Text("cents_"+n) != "" || p.Form.Text("on_"+n+"_day") != "" {
			filled = i + 1
		}
	}
	for i := range planRows {
		p.Rows = append(p.Rows, planRow{N: strconv.Itoa(i + 1), Open: i < max(filled, planShown)})
	}
}

// staffPlan shows the plan of a due; with ?parts= it proposes as many equal parts, a month apart.
func (s *server) staffPlan(w http.ResponseWriter, r *http.Request) error {
	p, err := s.planPage(r)
	if err != nil {
		return err
	}
	p.Propose = form.Query(r)
	parts, ok := p.Propose.Int("parts")
	from := p.Propose.Date("from")
	if from.IsZero() {
		from = s.today()
	}
	if ok && parts >= 1 && parts <= planRows && p.Propose.OK() {
		p.fill(monthly(p.M.Balance.Owed(), parts, from))
	} else {
		p.fill(p.M.Plan)
	}
	if p.Propose.Text("from_day") == "" {
		p.Propose.SetDate("from", from)
	}
	p.lay()
	return s.render(w, r, http.StatusOK, "staff/money/plan", p)
}

// monthly splits an amount into equal parts a month apart; the cents that do not divide go with the first one.
func monthly(total civil.Cents, parts int, from civil.Date) []ledger.Instalment {
	if total <= 0 {
		return nil
	}
	var plan []ledger.Instalment
	each := total / civil.Cents(parts)
	for i := range parts {
		v := ledger.Instalment{DueOn: monthsLater(from, i), Cents: each}
		if i == 0 {
			v.Cents += total - each*civil.Cents(parts)
		}
		if v.Cents > 0 {
			plan = append(plan, v)
		}
	}
	return plan
}

// monthsLater is the same day n months on, or the last day of a shorter month.
func monthsLater(d civil.Date, n int) civil.Date {
	first := civil.NewDate(d.Year, d.Month, 1)
	for range n {
		first = first.AddDays(32)
		first = civil.NewDate(first.Year, first.Month, 1)
	}
	next := first.AddDays(32)
	last := civil.NewDate(next.Year, next.Month, 1).AddDays(-1)
	return civil.NewDate(first.Year, first.Month, min(d.Day, last.Day))
}

// staffPlanSave agrees on a plan, or takes it back: without a row, or by its own button.
func (s *server) staffPlanSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.planPage(r)
	if err != nil {
		return err
	}
	var plan []ledger.Instalment
	if f.Text("remove") == "" {
		plan = readPlan(f)
		if len(plan) == 0 && f.OK() {
			f.Add("cents_1", "smoney.plan_empty")
		}
	}
	if f.OK() {
		_, account := s.actorOf(r)
		if err := takePlan(f, s.Enrol.PlanDue(r.Context(), account, p.M.DueID, plan)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		p.lay()
		return s.refuse(w, r, "staff/money/plan", f, p)
	}
	if len(plan) == 0 {
		return s.toMoney(w, r, "flash.plan_removed")
	}
	return s.toMoney(w, r, "flash.plan_saved")
}

// readPlan reads the rows; an empty one is no part.
func readPlan(f *form.Form) []ledger.Instalment {
	var plan []ledger.Instalment
	for i := range planRows {
		n := strconv.Itoa(i + 1)
		on, cents := f.Date("on_"+n), optionalCents(f, "cents_"+n)
		switch {
		case on.IsZero() && cents == nil:
		case on.IsZero() && f.Problem("on_"+n) == nil:
			f.Add("on_"+n, "form.required")
		case cents == nil:
			f.Add("cents_"+n, "form.required")
		default:
			plan = append(plan, ledger.Instalment{DueOn: on, Cents: *cents})
		}
	}
	return plan
}

// takePlan says what the domain refuses of a plan on its first row, where the inputs are.
func takePlan(f *form.Form, err error) error {
	v := problem.As(err)
	if v == nil || v.Kind != problem.KindInvalid {
		return err
	}
	for _, field := range v.Fields {
		name := "cents_1"
		if field.Name == "due_on" {
			name = "on_1"
		}
		if f.Problem(name) == nil {
			f.Add(name, field.Code, field.Args...)
		}
	}
	return nil
}
