// Package reports makes the documents that leave the house: Excel registers and PDF invoices.
package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
)

// Column is one column that a document declares before it is made: nothing else may stand in it.
type Column struct {
	Key     string // message key of its heading
	Medical bool   // left out altogether unless the reader is entitled to medical alerts
}

// Document is a kind of document that the service produces. It says beforehand what it is for, what it holds, who
// may have it and for how long: the record of processing that the regulation asks for (GDPR, articles 5 and 30).
type Document struct {
	Name     string   // what the command line and the pages call it
	Title    string   // message key
	Purpose  string   // message key: why these data are put together
	Columns  []Column // in order
	Roles    []string // staff roles that may have it
	Leaders  bool     // the leaders of the camp may have it too, with its medical columns, in the weeks around the camp
	Medical  []string // staff roles that may have its medical columns
	KeepDays int      // days after the last session, or the end of the period, when every copy is to be destroyed
	About    string   // AboutCamp, AboutPeriod or AboutToday: what Params must say
	perform  func(ctx context.Context, s *Store, d Document, j job) (File, int, error)
}

// What a document is about.
const (
	AboutCamp   = "camp"
	AboutPeriod = "period"
	AboutToday  = "today"
)

var documents = []Document{registre, impayes, journal, encaissements, budget, comptabilite}

// List returns the documents in the order in which they are offered.
func List() []Document { return slices.Clone(documents) }

// Find returns the document of that name; problem.KindNotFound when there is none.
func Find(name string) (Document, error) {
	for _, d := range documents {
		if d.Name == name {
			return d, nil
		}
	}
	return Document{}, problem.NotFound("reports.unknown", name)
}

// KeepUntil returns the last day on which a copy about a camp that ends on last may exist.
func (d Document) KeepUntil(last civil.Date) civil.Date { return last.AddDays(d.KeepDays) }

// maxPeriod bounds a period, in days: ten years.
const maxPeriod = 3660

// Store produces documents from the database.
type Store struct {
	DB      *db.DB
	Now     civil.Clock
	Medical *medical.Store
}

// New returns a Store. Medical values reach documents only through m, which logs each reading.
func New(d *db.DB, now civil.Clock, m *medical.Store) *Store {
	return &Store{DB: d, Now: now, Medical: m}
}

// Params say which document is wanted.
type Params struct {
	Camp    uuid.UUID
	Medical bool   // with medical alerts, if the actor is entitled to them; without that right the column is absent
	Lang    string // language of headings, "" for French
	From    civil.Date
	To      civil.Date // of a period, both days included; without them it is the year so far
	CSV     bool       // for another program instead of people, where the document can
}

// File is a document ready to be sent.
type File struct {
	Name        string // file name with its extension, ASCII
	ContentType string
	Body        []byte
}

// job is one production: what was asked, by whom, when.
type job struct {
	Params
	actor  audit.Actor
	by     string // how the actor is named on paper
	loc    *locale.Locale
	now    time.Time
	today  civil.Date
	medics bool // medical columns are wanted and allowed
}

// Write makes the document and writes it to w. See Produce.
func (s *Store) Write(ctx context.Context, name string, p Params, w io.Writer, actor audit.Actor) error {
	f, err := s.Produce(ctx, name, p, actor)
	if err != nil {
		return err
	}
	if _, err := w.Write(f.Body); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// Produce makes the document for actor. It returns problem.KindNotFound for an unknown name or camp and
// problem.KindForbidden when the actor's account has no right to it. The audit holds a line before anything is
// handed out.
func (s *Store) Produce(ctx context.Context, name string, p Params, actor audit.Actor) (File, error) {
	d, err := Find(name)
	if err != nil {
		return File{}, err
	}
	may, err := s.access(ctx, d, p.Camp, actor)
	if err != nil {
		return File{}, err
	}
	if !may.read {
		return File{}, problem.Forbidden("reports.forbidden")
	}
	now := s.Now()
	j := job{
		Params: p, actor: actor, by: may.by, loc: locale.For(p.Lang),
		now: now, today: civil.DateOf(now, civil.Brussels), medics: p.Medical && may.medical,
	}
	if j.by == "" {
		j.by = j.loc.T("reports.by_command")
	}
	if d.About == AboutPeriod {
		if j.From.IsZero() && j.To.IsZero() {
			j.From, j.To = civil.NewDate(j.today.Year, time.January, 1), j.today
		}
		if j.From.IsZero() || j.To.Before(j.From) || j.To.Sub(j.From) > maxPeriod {
			return File{}, problem.Invalid("reports.period_bad")
		}
	}
	f, rows, err := d.perform(ctx, s, d, j)
	if err != nil {
		return File{}, err
	}
	subject, id, detail := d.About, p.Camp.String(), map[string]any{"report": d.Name, "rows": rows}
	switch d.About {
	case AboutCamp:
		detail["medical"] = j.medics
	case AboutPeriod:
		id = j.From.String() + "/" + j.To.String()
	default:
		subject, id = AboutPeriod, j.today.String()
	}
	err = audit.Record(ctx, s.DB, actor, "report.produced", subject, id, detail)
	if err != nil {
		return File{}, err
	}
	return f, nil
}

// MayHave reports whether actor may have the document about the camp, and with its medical columns.
func (s *Store) MayHave(ctx context.Context, name string, campID uuid.UUID, actor audit.Actor) (read, medical bool, err error) {
	d, err := Find(name)
	if err != nil {
		return false, false, err
	}
	r, err := s.access(ctx, d, campID, actor)
	return r.read, r.read && r.medical, err
}

type access struct {
	read, medical bool
	by            string
}

// access decides from the actor's roles and from who leads the camp. Whoever is at the server's command line or is a
// job of the service may read everything: the audit names them.
func (s *Store) access(ctx context.Context, d Document, campID uuid.UUID, actor audit.Actor) (access, error) {
	if actor.Kind != "account" {
		return access{read: true, medical: true}, nil
	}
	id, err := uuid.Parse(actor.ID)
	if err != nil {
		return access{}, fmt.Errorf("reading the rights of %s: %w", actor, err)
	}
	var name string
	var roles []string
	err = s.DB.QueryRow(ctx, `
		SELECT name, roles
		FROM account
		WHERE id = @account`,
		pgx.NamedArgs{"account": id}).Scan(&name, &roles)
	if errors.Is(err, pgx.ErrNoRows) {
		return access{}, nil
	}
	if err != nil {
		return access{}, fmt.Errorf("reading the rights of %s: %w", actor, err)
	}
	has := func(wanted []string) bool {
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(wanted, r) })
	}
	r := access{read: has(d.Roles), medical: has(d.Medical), by: name}
	if !d.Leaders || r.read && r.medical {
		return r, nil
	}
	err = camp.Leads(ctx, s.DB, id, campID, civil.DateOf(s.Now(), civil.Brussels))
	switch {
	case err == nil:
		r.read, r.medical = true, true
	case !problem.Is(err, problem.KindNotFound) && !problem.Is(err, problem.KindForbidden):
		return access{}, err
	}
	return r, nil
}
