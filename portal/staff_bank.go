package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/bank"
	"ribambelle/internal/civil"
	"ribambelle/internal/pay/statement"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const (
	bankPath = "/gestion/banque"
	// bankWithin bounds the work for one file: a year of a commune takes less.
	bankWithin = 2 * time.Minute
	// mostWaiting, mostStatements and mostImports bound what the bank's page shows; what waits comes up as the queue goes.
	mostWaiting, mostStatements, mostImports = 50, 40, 10
)

// mayBank is who sees what the bank says: names and accounts of payers.
var mayBank = office("finance", "administrator")

// staffBankRoutes are the pages of the office about bank statements.
func (s *server) staffBankRoutes() []route {
	const entry = bankPath + "/mouvements/" + idPart
	return []route{
		{get, bankPath, mayBank, s.staffBank},
		{post, bankPath, mayBank, s.staffBankImport},
		{get, bankPath + "/fichiers/" + idPart, mayBank, s.staffBankFile},
		{get, bankPath + "/extraits/" + idPart, mayBank, s.staffBankStatement},
		{post, entry + "/lier", mayBank, s.staffBankMatch},
		{post, entry + "/classer", mayBank, s.staffBankAside},
		{post, entry + "/reprendre", mayBank, s.staffBankTakeBack},
	}
}

func (s *server) bank() *bank.Store { return bank.New(s.DB, s.Enrol, s.Now) }

// bankBase is the base of the bank's pages.
type bankBase struct {
	staffPage
	People map[string]string // names of those who brought files, by actor
}

// Told writes a warning of a statement; amounts for machines are written for people.
func (p bankBase) Told(w statement.Warning) string {
	args := make([]any, len(w.Args))
	for i, a := range w.Args {
		args[i] = a
		if c, err := civil.ParseEuros(a); err == nil {
			args[i] = c
		}
	}
	return unbroken(p.L, p.L.T(w.Code, args...))
}

// Account writes an account in groups of four.
func (bankBase) Account(v string) string { return groups(v) }

// Printed writes a structured communication as it is printed.
func (bankBase) Printed(v string) string { return transfer.Communication(v).String() }

// Who names who brought a file, "" for nobody known.
func (p bankBase) Who(actor string) string {
	if strings.HasPrefix(actor, "command:") {
		return p.L.T("bank.by_command")
	}
	return p.People[actor]
}

// Tag is the colour of an entry's state.
func (bankBase) Tag(state string) string {
	switch state {
	case bank.StateMatched:
		return "ok"
	case bank.StateAside:
		return ""
	}
	return "wait"
}

func (s *server) bankBase(r *http.Request, title string, actors ...string) (bankBase, error) {
	base, _, err := s.staff(r, title, bankPath)
	if err != nil {
		return bankBase{}, err
	}
	p := bankBase{staffPage: base, People: map[string]string{}}
	var ids []uuid.UUID
	for _, actor := range actors {
		if id, err := uuid.Parse(strings.TrimPrefix(actor, "account:")); err == nil {
			ids = append(ids, id)
		}
	}
	rows, err := s.DB.Query(r.Context(), `
		SELECT 'account:' || id, name
		FROM account
		WHERE id = ANY(@ids)`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return p, fmt.Errorf("reading who brought files: %w", err)
	}
	var actor, name string
	_, err = pgx.ForEachRow(rows, []any{&actor, &name}, func() error {
		p.People[actor] = name
		return nil
	})
	if err != nil {
		return p, fmt.Errorf("reading who brought files: %w", err)
	}
	return p, nil
}

// staffBankPage takes files, and shows what waits and what was read.
type staffBankPage struct {
	bankBase
	Form       *form.Form
	Queue      []bank.Waiter
	Waiting    int
	Bad        uuid.UUID // the entry whose communication was refused
	Imports    []bank.Import
	Statements []bank.Statement
}

func (s *server) staffBankPage(r *http.Request, f *form.Form) (*staffBankPage, error) {
	p := &staffBankPage{Form: f}
	var err error
	ctx, b := r.Context(), s.bank()
	if p.Queue, err = b.Queue(ctx, mostWaiting); err != nil {
		return nil, err
	}
	if p.Waiting, err = b.Waiting(ctx); err != nil {
		return nil, err
	}
	if p.Imports, err = b.Imports(ctx, mostImports); err != nil {
		return nil, err
	}
	if p.Statements, err = b.Statements(ctx, mostStatements); err != nil {
		return nil, err
	}
	var actors []string
	for _, v := range p.Imports {
		actors = append(actors, v.Actor)
	}
	p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.title"), actors...)
	return p, err
}

// staffBank shows the queue and the history.
func (s *server) staffBank(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffBankPage(r, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/bank/queue", p)
}

// staffBankImport takes in a file. The work goes on when the browser leaves, and the same file again changes nothing.
func (s *server) staffBankImport(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(bank.MaxFile); err != nil { //nolint:gosec // outside bounds every body by its route
		var large *http.MaxBytesError
		if !errors.As(err, &large) {
			return problem.Invalid("form.unreadable")
		}
		return s.staffBankRefuse(w, r, problem.Invalid("bank.file.large"))
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	file, header, err := r.FormFile("file")
	if err != nil {
		return s.staffBankRefuse(w, r, problem.Invalid("bank.file.needed"))
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	if err != nil {
		return problem.Invalid("form.unreadable")
	}
	actor, _ := s.actorOf(r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), bankWithin)
	defer cancel()
	in, err := s.bank().Import(ctx, actor, header.Filename, raw)
	if problem.Is(err, problem.KindInvalid) {
		return s.staffBankRefuse(w, r, err)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, bankPath+"/fichiers/"+in.ID.String())
}

// staffBankRefuse shows the page again with what is wrong with the file.
func (s *server) staffBankRefuse(w http.ResponseWriter, r *http.Request, cause error) error {
	f := form.New()
	if bad := problem.As(cause); bad != nil {
		f.Add("file", bad.Code, bad.Args...)
	}
	p, err := s.staffBankPage(r, f)
	if err != nil {
		return err
	}
	return s.refuse(w, r, "staff/bank/queue", f, p)
}

// staffBankFilePage is what came of one file.
type staffBankFilePage struct {
	bankBase
	Import bank.Import
}

func (s *server) staffBankFile(w http.ResponseWriter, r *http.Request) error {
	in, err := s.bank().ReadImport(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	p := &staffBankFilePage{Import: in}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.file_title", in.FileName), in.Actor); err != nil {
		return err
	}
	p.Back = &page.Link{URL: bankPath, Text: p.L.T("bank.title")}
	return s.render(w, r, http.StatusOK, "staff/bank/file", p)
}

// staffBankStatementPage is one statement, movement by movement.
type staffBankStatementPage struct {
	bankBase
	Statement bank.Statement
	Entries   []bank.Entry
}

func (s *server) staffBankStatement(w http.ResponseWriter, r *http.Request) error {
	one, list, err := s.bank().Statement(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	p := &staffBankStatementPage{Statement: one, Entries: list}
	if p.bankBase, err = s.bankBase(r, s.locale(r).T("bank.statement_title", one.Number, one.Day)); err != nil {
		return err
	}
	p.Back = &page.Link{URL: bankPath, Text: p.L.T("bank.title")}
	return s.render(w, r, http.StatusOK, "staff/bank/statement", p)
}

// staffBankMatch books a waiting movement on the registration that was chosen, or whose communication was typed.
func (s *server) staffBankMatch(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	id := pathID(r)
	if due, ok := f.UUID("due"); ok {
		err = s.bank().Match(r.Context(), actor, id, due)
	} else if err = s.bank().MatchCommunication(r.Context(), actor, id, f.Text("communication")); problem.Is(err, problem.KindInvalid) {
		f.Add("communication", problem.As(err).Code)
		p, err := s.staffBankPage(r, f)
		if err != nil {
			return err
		}
		p.Bad = id
		return s.refuse(w, r, "staff/bank/queue", f, p)
	}
	if err != nil {
		return err
	}
	s.flash(w, "flash.bank_matched")
	return seeOther(w, r, bankPath+"#attente")
}

// staffBankAside takes a movement off the queue.
func (s *server) staffBankAside(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.bank().SetAside(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.bank_aside")
	return seeOther(w, r, bankPath+"#attente")
}

// staffBankTakeBack puts a movement in the queue again.
func (s *server) staffBankTakeBack(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.bank().TakeBack(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.bank_back")
	return seeOther(w, r, bankPath+"#attente")
}
