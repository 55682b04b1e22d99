package reports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/finance"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay/transfer"
)

// keepAccounts is for how long copies of the accounts may exist: seven years, as long as accounting documents are kept
// (Code de droit économique, article III.86).
const keepAccounts = 7 * 366

// treasurers may have the documents about money.
var treasurers = []string{"finance", "administrator"}

// impayes is what is owed, by payer, camp and child, with its age.
var impayes = Document{
	Name: "impayes", Title: "reports.impayes.title", Purpose: "reports.impayes.purpose",
	Columns: []Column{
		{Key: "reports.col.name"},
		{Key: "reports.col.dues"},
		{Key: "reports.col.later"},
		{Key: "reports.col.to30"},
		{Key: "reports.col.to60"},
		{Key: "reports.col.to90"},
		{Key: "reports.col.above"},
		{Key: "reports.col.owed"},
		{Key: "reports.col.back"},
		{Key: "reports.col.since"},
	},
	Roles: treasurers, KeepDays: 365, About: AboutToday, perform: performOwed,
}

// journal is every line of the ledger in a period.
var journal = Document{
	Name: "journal", Title: "reports.journal.title", Purpose: "reports.journal.purpose",
	Columns: []Column{
		{Key: "reports.col.day"},
		{Key: "reports.col.kind"},
		{Key: "reports.col.words"},
		{Key: "reports.col.raised"},
		{Key: "reports.col.lowered"},
		{Key: "reports.col.payer"},
		{Key: "reports.col.child"},
		{Key: "reports.col.camp"},
		{Key: "reports.col.source"},
		{Key: "reports.col.document"},
		{Key: "reports.col.communication"},
		{Key: "reports.col.article"},
		{Key: "reports.col.regulation"},
	},
	Roles: treasurers, KeepDays: keepAccounts, About: AboutPeriod, perform: performJournal,
}

// encaissements is the money of a period by month and by the way it came.
var encaissements = Document{
	Name: "encaissements", Title: "reports.encaissements.title", Purpose: "reports.encaissements.purpose",
	Columns: []Column{
		{Key: "reports.col.month"},
		{Key: "reports.col.source"},
		{Key: "reports.col.payments"},
		{Key: "reports.col.paid"},
		{Key: "reports.col.refunds"},
		{Key: "reports.col.refunded"},
		{Key: "reports.col.net"},
	},
	Roles: treasurers, KeepDays: keepAccounts, About: AboutPeriod, perform: performTaken,
}

// budget is what each budget article was charged and brought, by year.
var budget = Document{
	Name: "budget", Title: "reports.budget.title", Purpose: "reports.budget.purpose",
	Columns: []Column{
		{Key: "reports.col.year"},
		{Key: "reports.col.article"},
		{Key: "reports.col.camps"},
		{Key: "reports.col.charged"},
		{Key: "reports.col.reduced"},
		{Key: "reports.col.fees"},
		{Key: "reports.col.written_off"},
		{Key: "reports.col.paid"},
		{Key: "reports.col.refunded"},
		{Key: "reports.col.change"},
	},
	Roles: treasurers, KeepDays: keepAccounts, About: AboutPeriod, perform: performBudget,
}

// comptabilite is the day book in double entry, for the accountant's program.
var comptabilite = Document{
	Name: "comptabilite", Title: "reports.comptabilite.title", Purpose: "reports.comptabilite.purpose",
	Columns: []Column{
		{Key: "reports.col.day"},
		{Key: "reports.col.entry"},
		{Key: "reports.col.account"},
		{Key: "reports.col.debit"},
		{Key: "reports.col.credit"},
		{Key: "reports.col.words"},
		{Key: "reports.col.payer"},
		{Key: "reports.col.document"},
		{Key: "reports.col.communication"},
		{Key: "reports.col.article"},
	},
	Roles: treasurers, KeepDays: keepAccounts, About: AboutPeriod, perform: performPostings,
}

// finances runs read on one state of the database, so that the sheets of one document agree.
func (s *Store) finances(ctx context.Context, read func(f *finance.Store, q db.Querier) error) error {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.DB.Pool, opts, func(tx pgx.Tx) error {
		return read(finance.New(s.DB, s.Now).In(tx), tx)
	})
}

func performOwed(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	t := table{doc: d, job: j, kinds: []cellKind{textCell, numberCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell, dayCell}}
	err := s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		for _, by := range []finance.By{finance.ByPayer, finance.ByCamp, finance.ByChild} {
			list, err := f.Owed(ctx, by, finance.Range{})
			if err != nil {
				return err
			}
			sheet := grid{name: j.loc.T("reports.impayes." + string(by))}
			for _, r := range list {
				sheet.rows = append(sheet.rows, []any{r.Name, r.Dues, r.Later, r.To30, r.To60, r.To90, r.Above, r.Owed(), r.Back, r.Since})
			}
			t.sheets = append(t.sheets, sheet)
		}
		return t.setUp(ctx, q)
	})
	if err != nil {
		return File{}, 0, err
	}
	return t.file("impayes-" + j.today.String())
}

func performJournal(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	t := table{doc: d, job: j, kinds: []cellKind{dayCell, textCell, textCell, moneyCell, moneyCell, textCell, textCell, textCell, textCell, textCell, textCell, textCell, textCell}}
	err := s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.DayBook(ctx, finance.Period{From: j.From, To: j.To}, finance.Range{})
		if err != nil {
			return err
		}
		sheet := grid{name: j.loc.T(d.Title)}
		for _, e := range list {
			row := []any{
				e.Day(), j.loc.T("finance.kind." + string(e.Kind)), entryWords(j.loc, e), nil, nil, e.Payer, e.Child, e.Camp, entrySource(j.loc, e.Source), e.Document,
				transfer.Communication(e.Communication).String(), e.Article, e.Regulation,
			}
			if e.Signed() > 0 {
				row[3] = e.Cents
			} else {
				row[4] = e.Cents
			}
			sheet.rows = append(sheet.rows, row)
		}
		t.sheets = []grid{sheet}
		return t.setUp(ctx, q)
	})
	if err != nil {
		return File{}, 0, err
	}
	return t.file("journal-" + j.From.String() + "-" + j.To.String())
}

func performTaken(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	t := table{doc: d, job: j, kinds: []cellKind{textCell, textCell, numberCell, moneyCell, numberCell, moneyCell, moneyCell}}
	err := s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.ByProvider(ctx, finance.Period{From: j.From, To: j.To})
		if err != nil {
			return err
		}
		sheet := grid{name: j.loc.T(d.Title)}
		for _, v := range list {
			month := fmt.Sprintf("%s %d", j.loc.Month(v.Month.Month), v.Month.Year)
			sheet.rows = append(sheet.rows, []any{month, entrySource(j.loc, v.Source), v.Payments, v.Paid, v.Refunds, v.Refunded, v.Net()})
		}
		t.sheets = []grid{sheet}
		return t.setUp(ctx, q)
	})
	if err != nil {
		return File{}, 0, err
	}
	return t.file("encaissements-" + j.From.String() + "-" + j.To.String())
}

func performBudget(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	t := table{doc: d, job: j, kinds: []cellKind{textCell, textCell, numberCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell, moneyCell}}
	err := s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.ByBudget(ctx, finance.Period{From: j.From, To: j.To})
		if err != nil {
			return err
		}
		sheet := grid{name: j.loc.T(d.Title)}
		for _, v := range list {
			sheet.rows = append(sheet.rows, []any{fmt.Sprint(v.Year), v.Article, v.Camps, v.Charged, v.Reduced, v.Fees, v.WrittenOff, v.Paid, v.Refunded, v.Change()})
		}
		t.sheets = []grid{sheet}
		return t.setUp(ctx, q)
	})
	if err != nil {
		return File{}, 0, err
	}
	return t.file("budget-" + j.From.String() + "-" + j.To.String())
}

func performPostings(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	t := table{doc: d, job: j, kinds: []cellKind{dayCell, numberCell, textCell, moneyCell, moneyCell, textCell, textCell, textCell, textCell, textCell}}
	err := s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.Postings(ctx, finance.Period{From: j.From, To: j.To})
		if err != nil {
			return err
		}
		sheet := grid{name: j.loc.T(d.Title)}
		for i, p := range list {
			row := []any{p.Day(), i/2 + 1, p.Account, nil, nil, entryWords(j.loc, p.Entry), p.Payer, p.Document, transfer.Communication(p.Communication).String(), p.Article}
			if p.Debit != 0 {
				row[3] = p.Debit
			} else {
				row[4] = p.Credit
			}
			sheet.rows = append(sheet.rows, row)
		}
		t.sheets = []grid{sheet}
		return t.setUp(ctx, q)
	})
	if err != nil {
		return File{}, 0, err
	}
	return t.file("comptabilite-" + j.From.String() + "-" + j.To.String())
}

// entryWords says what a line of the ledger is about. Its label may want what only the frozen price knows: then the camp.
func entryWords(l *locale.Locale, e finance.Entry) string { return finance.Words(l.T, e) }

// entrySource names the way money came or went.
func entrySource(l *locale.Locale, v string) string {
	if key := "finance.source." + v; l.Has(key) {
		return l.T(key)
	}
	return v
}

// setUp reads what stands on the sheet that says what a document is.
func (t *table) setUp(ctx context.Context, q db.Querier) (err error) {
	t.commune, err = camp.Setting(ctx, q, "commune.name")
	return err
}
