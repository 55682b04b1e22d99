package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/bank"
	"ribambelle/internal/civil"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// mostPayouts bounds the list of what providers paid out.
const mostPayouts = 200

// staffTreasuryRoutes are the bank's pages about more than single payments: payouts, refunds by transfer, what is undone.
func (s *server) staffTreasuryRoutes() []route {
	const entry = bankPath + "/mouvements/" + idPart
	return []route{
		{post, entry + "/annuler", mayBank, s.staffBankUndo},
		{post, entry + "/autre", mayBank, s.staffBankOther},
		{get, entry + "/versement", mayBank, s.staffPayout},
		{post, entry + "/versement", mayBank, s.staffPayoutMatch},
		{get, bankPath + "/versements", mayBank, s.staffPayouts},
		{get, bankPath + "/versements/" + idPart, mayBank, s.staffPayoutShow},
		{get, transferPath, mayBank, s.staffTransfers},
		{post, transferPath, mayBank, s.staffTransferMake},
		{get, transferPath + "/" + idPart + ".xml", mayBank, s.staffTransferFile},
		{post, transferPath + "/" + idPart + "/abandonner", mayBank, s.staffTransferVoid},
		{post, transferPath + "/remboursements/" + idPart + "/fait", mayBank, s.staffTransferDone},
		{post, transferPath + "/remboursements/" + idPart + "/echec", mayBank, s.staffTransferFailed},
	}
}

// staffBankUndo takes a match back.
func (s *server) staffBankUndo(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.bank().Undo(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.bank_undone")
	return seeOther(w, r, bankPath+"#attente")
}

// staffBankOther books a waiting movement as what a person chose that is no payment of a due.
func (s *server) staffBankOther(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	target, _ := f.UUID("target")
	match := map[string]func() error{
		bank.OtherRefund:    func() error { return s.bank().MatchRefund(r.Context(), actor, pathID(r), target) },
		bank.OtherTakenBack: func() error { return s.bank().MatchTakenBack(r.Context(), actor, pathID(r), target) },
		bank.OtherDeposit:   func() error { return s.bank().MatchDeposit(r.Context(), actor, pathID(r), target) },
	}[f.Text("kind")]
	if match == nil {
		return errNoChild
	}
	if err := match(); err != nil {
		return err
	}
	s.flash(w, "flash.bank_other")
	return seeOther(w, r, bankPath+"#attente")
}

// staffPayoutPage proposes which payments a movement pays out.
type staffPayoutPage struct {
	bankBase
	Form      *form.Form
	Entry     bank.Entry
	Providers []bank.ProviderSum
	Provider  string
	Lines     []bank.ProviderLine
	Proposed  bool // the ticks are a proposal
	Gross     civil.Cents
	Refunds   civil.Cents
}

// Choices are the providers that have kept something.
func (p *staffPayoutPage) Choices() []choice {
	list := make([]choice, len(p.Providers))
	for i, v := range p.Providers {
		list[i] = choice{Value: v.Provider, Text: p.L.T("bank.provider_sum", p.Source(v.Provider), v.Net())}
	}
	return list
}

// Ticked reports whether a line is chosen.
func (p *staffPayoutPage) Ticked(l bank.ProviderLine) bool {
	return p.Form.Has("line", l.LineID.String())
}

// Costs is what the provider kept, as the chosen lines say.
func (p *staffPayoutPage) Costs() civil.Cents { return p.Gross - p.Refunds - p.Entry.Cents }

// Missing is what the provider paid beyond the chosen lines.
func (p *staffPayoutPage) Missing() civil.Cents { return -p.Costs() }

func (s *server) staffPayoutPage(r *http.Request, f *form.Form, provider string) (*staffPayoutPage, error) {
	ctx, b := r.Context(), s.bank()
	e, err := b.ReadEntry(ctx, pathID(r))
	if err != nil {
		return nil, err
	}
	p := &staffPayoutPage{Form: f, Entry: e, Provider: provider}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.payout_title", e.Cents, e.Day)); err != nil {
		return nil, err
	}
	p.Back = &page.Link{URL: bankPath + "#attente", Text: p.L.T("bank.title")}
	if p.Providers, err = b.Providers(ctx); err != nil || len(p.Providers) == 0 {
		return p, err
	}
	known := func(v bank.ProviderSum) bool { return v.Provider == p.Provider }
	if !slices.ContainsFunc(p.Providers, known) {
		p.Provider = p.Providers[0].Provider
		for _, v := range p.Providers {
			if bank.SentBy(v.Provider, e.CounterpartyName) {
				p.Provider = v.Provider
			}
		}
	}
	if p.Lines, err = b.Unpaid(ctx, s.DB, p.Provider); err != nil {
		return nil, err
	}
	if f.Raw("chosen") == "" {
		proposal := bank.Propose(p.Lines, e.Cents, e.Day)
		for _, id := range proposal.Lines {
			f.Set("line", append(f.All("line"), id.String())...)
		}
		p.Proposed = len(proposal.Lines) > 0
	}
	for _, l := range p.Lines {
		switch {
		case !p.Ticked(l):
		case l.Signed() < 0:
			p.Refunds += l.Cents
		default:
			p.Gross += l.Cents
		}
	}
	return p, nil
}

// staffPayout shows the proposal.
func (s *server) staffPayout(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffPayoutPage(r, form.New(), form.Query(r).Text("prestataire"))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/bank/payout", p)
}

// staffPayoutMatch sums up what is ticked, or books it once its costs were seen.
func (s *server) staffPayoutMatch(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	provider := f.Text("provider")
	if f.Text("do") == "sum" {
		p, err := s.staffPayoutPage(r, f, provider)
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "staff/bank/payout", p)
	}
	o := bank.PayoutOrder{Provider: provider, Note: f.Text("note")}
	for _, v := range f.All("line") {
		if id, err := uuid.Parse(v); err == nil {
			o.Lines = append(o.Lines, id)
		}
	}
	if n, ok := f.Int("costs"); ok {
		o.Costs = civil.Cents(n)
	}
	actor, _ := s.actorOf(r)
	if err := f.Take(s.bank().MatchPayout(r.Context(), actor, pathID(r), o)); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffPayoutPage(r, f, provider)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "staff/bank/payout", f, p)
	}
	s.flash(w, "flash.bank_payout")
	return seeOther(w, r, bankPath+"/versements")
}

// staffPayoutsPage is what providers keep and what they paid out.
type staffPayoutsPage struct {
	bankBase
	Providers []bank.ProviderSum
	Payouts   []bank.Payout
}

// staffPayouts lists what is to come and what came.
func (s *server) staffPayouts(w http.ResponseWriter, r *http.Request) error {
	p := &staffPayoutsPage{}
	var err error
	if p.Providers, err = s.bank().Providers(r.Context()); err != nil {
		return err
	}
	if p.Payouts, err = s.bank().Payouts(r.Context(), mostPayouts); err != nil {
		return err
	}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.payouts")); err != nil {
		return err
	}
	p.Back = &page.Link{URL: bankPath, Text: p.L.T("bank.title")}
	return s.render(w, r, http.StatusOK, "staff/bank/payouts", p)
}

// staffPayoutShowPage is one payout with its payments.
type staffPayoutShowPage struct {
	bankBase
	Payout bank.Payout
	Lines  []bank.ProviderLine
}

// staffPayoutShow shows a payout.
func (s *server) staffPayoutShow(w http.ResponseWriter, r *http.Request) error {
	one, lines, err := s.bank().ReadPayout(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	p := &staffPayoutShowPage{Payout: one, Lines: lines}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.payout_title", one.Cents, one.Day), one.Actor); err != nil {
		return err
	}
	p.Back = &page.Link{URL: bankPath + "/versements", Text: p.L.T("bank.payouts")}
	return s.render(w, r, http.StatusOK, "staff/bank/payout_show", p)
}
