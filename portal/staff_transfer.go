package portal

import (
	"encoding/hex"
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/bank"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const (
	transferPath = "/gestion/virements"
	// mostFiles bounds the list of files that were made.
	mostFiles = 60
)

// staffTransfersPage is the refunds that leave by transfer: to send, with the bank, and the files that were made.
type staffTransfersPage struct {
	bankBase
	Form  *form.Form // of the file
	Act   *form.Form // of one refund or file, as it was typed
	Bad   uuid.UUID  // the refund or file whose form was refused
	Key   uuid.UUID
	Ready []ledger.Transfer
	Sent  []ledger.Transfer
	Files []bank.File
}

// Refunds are those that wait for a file, to tick.
func (p *staffTransfersPage) Refunds() []choice {
	list := make([]choice, len(p.Ready))
	for i, t := range p.Ready {
		list[i] = choice{Value: t.ID.String(), Text: p.L.T("transfer.line", t.Cents, t.Name(), t.Child, t.Camp), Hint: p.Account(t.IBAN)}
	}
	return list
}

// Sum is the total of what waits.
func (p *staffTransfersPage) Sum() (sum civil.Cents) {
	for _, t := range p.Ready {
		sum += t.Cents
	}
	return sum
}

// Hash is a file's SHA-256 as people compare it.
func (staffTransfersPage) Hash(f bank.File) string { return hex.EncodeToString(f.SHA256) }

func (s *server) staffTransfersPage(r *http.Request) (*staffTransfersPage, error) {
	ctx, b := r.Context(), s.bank()
	p := &staffTransfersPage{Form: form.New(), Act: form.New(), Key: uuid.New()}
	var err error
	if p.Ready, err = b.Ready(ctx); err != nil {
		return nil, err
	}
	if p.Sent, err = b.Sent(ctx); err != nil {
		return nil, err
	}
	if p.Files, err = b.Files(ctx, mostFiles); err != nil {
		return nil, err
	}
	var actors []string
	for _, f := range p.Files {
		actors = append(actors, f.Actor)
	}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("transfer.title"), actors...); err != nil {
		return nil, err
	}
	p.Back = &page.Link{URL: bankPath, Text: p.L.T("bank.title")}
	for _, t := range p.Ready {
		if t.IBAN != "" {
			p.Form.Set("refund", append(p.Form.All("refund"), t.ID.String())...)
		}
	}
	p.Form.SetDate("on", s.today())
	return p, nil
}

// staffTransfers shows the refunds by transfer.
func (s *server) staffTransfers(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffTransfersPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/bank/transfers", p)
}

// staffTransferMake makes the file for the bank, once however often the form is sent.
func (s *server) staffTransferMake(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	o := bank.Order{On: f.Date("on")}
	for _, v := range f.All("refund") {
		if id, err := uuid.Parse(v); err == nil {
			o.Refunds = append(o.Refunds, id)
		}
	}
	var ok bool
	if o.Key, ok = f.UUID("key"); !ok {
		f.Add("", "form.unreadable")
	}
	if f.OK() {
		actor, _ := s.actorOf(r)
		_, err := s.bank().MakeFile(r.Context(), actor, o)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffTransfersPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		if ok {
			p.Key = o.Key
		}
		return s.refuse(w, r, "staff/bank/transfers", f, p)
	}
	s.flash(w, "flash.transfer_made")
	return seeOther(w, r, transferPath+"#fichiers")
}

// staffTransferFile hands out a file as it was made.
func (s *server) staffTransferFile(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	name, content, err := s.bank().Content(r.Context(), actor, pathID(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.xml"`)
	return s.send(w, "application/xml", content)
}

// staffTransferVoid gives up a file that the bank never carried out.
func (s *server) staffTransferVoid(w http.ResponseWriter, r *http.Request) error {
	return s.transferAct(w, r, "flash.transfer_voided", func(f *form.Form) error {
		actor, _ := s.actorOf(r)
		return s.bank().VoidFile(r.Context(), actor, pathID(r), f.Text("reason"))
	})
}

// staffTransferDone books by hand a refund that the bank carried out.
func (s *server) staffTransferDone(w http.ResponseWriter, r *http.Request) error {
	return s.transferAct(w, r, "flash.transfer_done", func(f *form.Form) error {
		actor, _ := s.actorOf(r)
		return s.bank().Executed(r.Context(), actor, pathID(r), f.Date("day"))
	})
}

// staffTransferFailed notes by hand that the bank did not carry a refund out.
func (s *server) staffTransferFailed(w http.ResponseWriter, r *http.Request) error {
	return s.transferAct(w, r, "flash.transfer_failed", func(f *form.Form) error {
		actor, _ := s.actorOf(r)
		return s.bank().Failed(r.Context(), actor, pathID(r), f.Text("reason"))
	})
}

// transferAct runs what a person decided of one refund or file, and shows the page again with what is wrong.
func (s *server) transferAct(w http.ResponseWriter, r *http.Request, done string, act func(*form.Form) error) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if err := f.Take(act(f)); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffTransfersPage(r)
		if err != nil {
			return err
		}
		p.Act, p.Bad = f, pathID(r)
		return s.refuse(w, r, "staff/bank/transfers", f, p)
	}
	s.flash(w, done)
	return seeOther(w, r, transferPath)
}

// Today starts the inputs of a day.
func (p *staffTransfersPage) Today() *form.Form {
	return form.New().SetDate("day", civil.DateOf(p.Now, civil.Brussels))
}
